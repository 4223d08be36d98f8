"""The report of augment."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class AugmentReport:
    """The augmentation policy of a run.

    Attributes:
        views: Augmented views per training photo, beside the clean one.
        policy_digest: Digest of the policy: part of what a model was trained with.
        transforms: Names of the transforms, in order.
        photos_shown: Photos on the contact sheet.
    """

    STEP: ClassVar[str] = "augment"

    views: int
    policy_digest: str
    transforms: list[str]
    photos_shown: int
