"""The report of train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from coachworks.bootstrap import Interval
from coachworks.feature_groups import LAST


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """A candidate of a skill.

    Attributes:
        validation_balanced_accuracy: On the validation photos; None without any.
        standard_error: Its standard error, from a bootstrap of the sets; None without validation photos.
        complexity: Rank from the simplest kind, 0, to the most complex.
        parameters: The settings that validation picked, as fitted on the training photos alone.
        tried: Every setting tried, with its balanced accuracy and calibrated log loss on validation.
        seconds: This skill's share of the time that training the candidate took.
    """

    validation_balanced_accuracy: float | None
    standard_error: float | None
    complexity: int
    parameters: Mapping[str, Any]
    tried: Sequence[Mapping[str, Any]]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """The correction of a winner's probabilities, chosen by out-of-fold answers.

    Attributes:
        method: `temperature`; `vector`, whose factors and summands are part of the head; or `none`.
        photos: Photos that were answered by a head that was fitted without their set: training and validation photos,
            or only the latter where their answers differ.
        log_loss: Log loss of those answers with each method, in nats, each fold corrected by the fit on the others.
        standard_error: Of the difference between the log losses of `temperature` and `vector`; None without the latter.
        why: The choice in words.
    """

    method: Literal["none", "temperature", "vector"]
    photos: int
    log_loss: Mapping[str, float]
    standard_error: float | None
    why: str


@dataclass(frozen=True, kw_only=True)
class PolicyTrial:
    """A policy against imbalance, compared with others by linear heads in folds of training and validation photos.

    Attributes:
        policy: `balanced`, `logit-adjustment`, `focal` or `none`.
        balanced_accuracy: On the photos of each fold that the heads were not fitted on.
        standard_error: Of its difference to the best policy's, from a bootstrap of the sets of photos; 0 for the best.
    """

    policy: str
    balanced_accuracy: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class ImbalanceReport:
    """The policy against imbalance of a skill.

    Attributes:
        policy: `balanced`, `logit-adjustment`, `focal` or `none`.
        trials: Every policy that competed; none where the labels are about even or the setting names the policy.
        why: The choice in words.
    """

    policy: str
    trials: Sequence[PolicyTrial]
    why: str


@dataclass(frozen=True, kw_only=True)
class LabelNoiseReport:
    """Estimated noise of the labels of training and validation photos, from out-of-fold answers.

    Attributes:
        photos: Photos that were answered by a head that was fitted without their set.
        level: Estimated share of wrong labels among them, with the interval of its sampling error.
        suspicious: Photos on the list of suspicious labels.
        transition: Estimated probability that a photo of each label (first) was given each label (second).
        loss: Way to stand wrong labels that the winner was fitted with; empty: none.
        losses: Out-of-fold balanced accuracy of the candidate that won the competition, then with each such loss; empty
            if too few labels are wrong to try them.
        why_loss: Reason for the choice in words; empty likewise.
    """

    photos: int
    level: Interval
    suspicious: int
    transition: Sequence[Sequence[float]]
    loss: str = ""
    losses: Mapping[str, float] = field(default_factory=dict)
    why_loss: str = ""


@dataclass(frozen=True, kw_only=True)
class FeatureTrial:
    """A set of feature groups, compared with others by a linear head in folds of training and validation photos.

    Attributes:
        groups: The groups.
        balanced_accuracy: On the photos of each fold that the head was not fitted on; None without any.
        standard_error: Its standard error, from a bootstrap of the sets of photos; None likewise.
    """

    groups: Sequence[str]
    balanced_accuracy: float | None
    standard_error: float | None


@dataclass(frozen=True, kw_only=True)
class SkillReport:
    """The candidates of one skill and the winner.

    Attributes:
        status: `trained`, or `dropped` with a reason.
        reason: Reason for dropping it, and what to do; empty if trained.
        labels: The possible answers.
        photos: Labelled photos per split.
        class_weights: Weight of one photo of each label in the last fit of the winner.
        candidates: The candidates by name, fitted on the training photos alone.
        winner: Name of the candidate that won; None when dropped.
        why: Reason for the choice in words, and the photos that it was fitted on.
        refitted: Whether the winner was fitted again, on training and validation photos together.
        winner_photos: Labelled photos that the winner's head was fitted on.
        temperature: Divisor of the winner's logits; 1 with vector scaling and without validation photos; None if
            dropped.
        calibration: Choice of the correction of the winner's probabilities; None without a refit.
        refit_seconds: This skill's share of the time that the refit took.
        feature_groups: Feature groups that all of its candidates read, side by side in this order.
        feature_trials: Every set of groups that was compared, the smallest first; none where there was only one.
        why_features: Reason for the choice of the groups in words; empty where there was only one set.
        label_noise: Estimated noise of the labels; None without out-of-fold answers.
        left_out: In words, the augmented views that it did not learn from as they are, and why; empty if from all.
        continues: Key of the result of train whose choices were kept, as hardly any photo had changed; empty if the
            candidates competed.
        changed_photos: Training and validation photos that came, went or changed since that result.
        imbalance: Choice of the policy against imbalance; None if dropped, and in results of earlier versions.
        head_groups: Feature groups that the winner's head reads, where they differ from `feature_groups`: a fine-tuned
            head reads the activation in place of `last`.
    """

    status: Literal["trained", "dropped"]
    reason: str = ""
    labels: Sequence[str] = ()
    photos: Mapping[str, int]
    class_weights: Mapping[str, float]
    candidates: Mapping[str, CandidateReport]
    winner: str | None = None
    why: str = ""
    refitted: bool = False
    winner_photos: int = 0
    temperature: float | None = None
    calibration: CalibrationReport | None = None
    refit_seconds: float = 0.0
    feature_groups: Sequence[str] = (LAST,)
    feature_trials: Sequence[FeatureTrial] = ()
    why_features: str = ""
    left_out: str = ""
    label_noise: LabelNoiseReport | None = None
    continues: str = ""
    changed_photos: int = 0
    imbalance: ImbalanceReport | None = None
    head_groups: Sequence[str] = ()

    @property
    def winner_groups(self) -> Sequence[str]:
        """Feature groups that the winner's head reads."""
        return self.head_groups or self.feature_groups


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """The candidates and winners of a lane.

    Attributes:
        skills: Reports by skill.
        backbone_digest: Digest of the backbone that computed the features.
        policy_digest: Digest of the augmentation policy.
        class_weights: The setting: a policy against imbalance, or `auto`.
        explained_variance: Least share of the variance of a skill's features that its reduced dimensions hold; None
            when nothing was trained.
    """

    STEP: ClassVar[str] = "train"

    skills: Mapping[str, SkillReport]
    backbone_digest: str
    policy_digest: str
    class_weights: str
    explained_variance: float | None
