"""What train reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """One candidate of a skill.

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
class SkillReport:
    """What was trained for one skill.

    Attributes:
        status: `trained`, or `dropped` with a reason.
        reason: Why it was dropped, and what to do; empty when trained.
        labels: The possible answers.
        photos: Labelled photos per split.
        class_weights: What one photo of each label counts where the winner was fitted last.
        candidates: What competed, by name, fitted on the training photos alone.
        winner: Name of the candidate that won; None when dropped.
        why: Why it won, in words, and what it was fitted on.
        refitted: Whether the winner was fitted again, on training and validation photos together.
        winner_photos: Labelled photos that the winner's head was fitted on.
        temperature: What the winner's logits are divided by: fitted on the validation photos before the refit, 1
            without any; None when dropped.
        refit_seconds: This skill's share of the time that the refit took.
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
    refit_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What train did.

    Attributes:
        skills: What was trained, by skill.
        backbone_digest: Digest of the backbone whose features were read.
        policy_digest: Digest of the augmentation policy.
        class_weights: The policy against imbalance.
        explained_variance: Share of the variance that the reduced dimensions hold; None when nothing was trained.
    """

    STEP: ClassVar[str] = "train"

    skills: Mapping[str, SkillReport]
    backbone_digest: str
    policy_digest: str
    class_weights: str
    explained_variance: float | None
