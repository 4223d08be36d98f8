"""What train reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """One candidate of a skill.

    Attributes:
        validation_balanced_accuracy: On the validation photos; None without any.
        standard_error: Its standard error, from a bootstrap of the sets; None without validation photos.
        complexity: Rank from the simplest kind, 0, to the most complex.
        parameters: The settings that validation picked.
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
        class_weights: What one training photo of each label counts.
        candidates: What competed, by name.
        winner: Name of the candidate that won; None when dropped.
        why: Why it won, in words.
    """

    status: Literal["trained", "dropped"]
    reason: str = ""
    labels: Sequence[str] = ()
    photos: Mapping[str, int]
    class_weights: Mapping[str, float]
    candidates: Mapping[str, CandidateReport]
    winner: str | None = None
    why: str = ""


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

    skills: Mapping[str, SkillReport]
    backbone_digest: str
    policy_digest: str
    class_weights: str
    explained_variance: float | None
