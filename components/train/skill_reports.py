"""Reports of skills that were trained, from the results of their training."""

from collections.abc import Mapping, Sequence

from components.train.calibration import Calibration
from components.train.competition import Entry
from components.train.imbalance import Imbalance
from components.train.label_noise import LabelNoise
from components.train.lane_training import Trained
from components.train.noise_policy import NoisePolicy
from components.train.report import (
    CalibrationReport,
    CandidateReport,
    FeatureTrial,
    ImbalanceReport,
    LabelNoiseReport,
    PolicyTrial,
    SkillReport,
)
from components.train.selection import COMPLEXITY


def trained_report(skill: str, labels: Sequence[str], photos: Mapping[str, int], trained: Trained) -> SkillReport:
    """Return the report of a skill whose candidates have competed.

    Args:
        skill: The skill.
        labels: Its labels.
        photos: Its labelled photos per split.
        trained: What the lane's training gave.
    """
    outcome, refit, choice = trained.outcomes[skill], trained.refits.get(skill), trained.choices[skill]
    why = outcome.why
    if refit and refit.kept:
        why += ". It stays as it competed, trained on the training photos, because the validation photos stopped it"
    elif refit:
        why += f". With its settings it was then fitted again on all {refit.photos} training and validation photos"
    return SkillReport(
        status="trained",
        labels=tuple(labels),
        photos=photos,
        class_weights=trained.class_weights[skill],
        candidates={name: candidate_report(name, entry) for name, entry in outcome.entries.items()},
        winner=outcome.winner,
        why=why,
        refitted=refit is not None and not refit.kept,
        winner_photos=refit.photos if refit else photos["train"],
        temperature=refit.calibration.temperature if refit else 1.0,
        calibration=calibration_report(refit.calibration) if refit else None,
        refit_seconds=refit.seconds if refit else 0.0,
        feature_groups=choice.groups,
        head_groups=outcome.entries[outcome.winner].candidate.groups,
        why_features=choice.why,
        feature_trials=tuple(
            FeatureTrial(
                groups=groups,
                balanced_accuracy=tried.balanced_accuracy,
                standard_error=tried.standard_error,
            )
            for groups, tried in choice.tried.items()
        ),
        left_out=trained.left_out.get(skill, ""),
        imbalance=imbalance_report(trained.imbalances[skill]),
        label_noise=noise_report(refit.noise, trained.losses.get(skill)) if refit else None,
    )


def noise_report(noise: LabelNoise, policy: NoisePolicy | None = None) -> LabelNoiseReport | None:
    """Return the report of the noise of a skill's labels; None where no photo could be judged."""
    if not noise.photos:
        return None
    return LabelNoiseReport(
        photos=noise.photos,
        level=noise.level,
        suspicious=len(noise.rows),
        transition=noise.transition.tolist(),
        loss=policy.loss if policy else "",
        losses=policy.tried if policy else {},
        why_loss=policy.why if policy else "",
    )


def calibration_report(calibration: Calibration) -> CalibrationReport:
    """Return the report of a winner's calibration."""
    return CalibrationReport(
        method=calibration.method,
        photos=calibration.photos,
        log_loss=calibration.log_loss,
        standard_error=calibration.standard_error,
        why=calibration.why,
    )


def imbalance_report(imbalance: Imbalance) -> ImbalanceReport:
    """Return the report of the choice of a policy against imbalance."""
    return ImbalanceReport(
        policy=imbalance.policy,
        trials=tuple(
            PolicyTrial(policy=policy, balanced_accuracy=tried.balanced_accuracy, standard_error=tried.standard_error)
            for policy, tried in imbalance.tried.items()
        ),
        why=imbalance.why,
    )


def candidate_report(name: str, entry: Entry) -> CandidateReport:
    """Return the report of a candidate."""
    return CandidateReport(
        validation_balanced_accuracy=entry.score.balanced_accuracy,
        standard_error=entry.score.standard_error,
        complexity=COMPLEXITY.index(name),
        parameters=entry.candidate.parameters,
        tried=entry.candidate.tried,
        seconds=entry.seconds,
    )
