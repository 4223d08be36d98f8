"""The figures of train in the dashboard of Kubeflow Pipelines."""

from components.dashboard import Figures, count_statuses
from components.train.report import TrainReport


def numbers(report: TrainReport) -> Figures:
    """Yield the figures of a report by name."""
    yield from count_statuses(report.skills, "trained", "dropped")
    yield "candidates", sum(len(skill.candidates) for skill in report.skills.values())
    yield "explained variance", report.explained_variance
    for name, skill in report.skills.items():
        if skill.winner is not None:
            winner = skill.candidates[skill.winner]
            yield f"validation balanced accuracy: {name}", winner.validation_balanced_accuracy
            if skill.label_noise is not None:
                yield f"labels wrong, estimated: {name}", skill.label_noise.level.value
            seconds = sum(candidate.seconds for candidate in skill.candidates.values())
            yield f"seconds: training {name}", seconds + skill.refit_seconds
        for trial in skill.imbalance.trials if skill.imbalance else ():
            chosen = " (chosen)" if skill.imbalance and trial.policy == skill.imbalance.policy else ""
            yield f"imbalance: balanced accuracy of {name} with {trial.policy}{chosen}", trial.balanced_accuracy
