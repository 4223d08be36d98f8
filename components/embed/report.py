"""The report of embed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from coachworks.feature_groups import LAST
from components.augment.study_report import StudyReport


@dataclass(frozen=True)
class EmbedReport:
    """The features that embed computed, and their place in the feature cache.

    Attributes:
        backbone: The backbone as the fleet file names it.
        backbone_digest: Digest of the backbone: weights, architecture and preprocessing.
        space: Folder of the store's feature cache that holds the clean photos' features and the views' below it.
        view_digest: Digest of the settings that decide the pixels of augmented views.
        policy_digest: Digest of the augmentation policy.
        dimensions: Numbers per photo of the feature group `last`.
        views: Augmented views per training photo, beside the clean one.
        photos: Photos that have features now.
        computed: Features computed now, a photo's clean and augmented views counted each.
        reused: Features that were cached already, counted in the same way.
        seconds: Time of the computation, in seconds; 0 if nothing was missing.
        photos_per_second: Features computed per second; 0 if nothing was missing.
        device: `cpu`, or the name of the GPU.
        workers: Number of worker processes.
        groups: Feature groups with the numbers per photo of each; empty: only `last`.
        bytes_per_view: Size of one photo's features in one view, in bytes; 0 in reports of earlier versions.
        choice: The reason for the backbone, where `backbone: auto` chose it; else empty.
        study: Effect of each transform of the policy on each skill; None without a study.
    """

    STEP: ClassVar[str] = "embed"

    backbone: str
    backbone_digest: str
    space: str
    view_digest: str
    policy_digest: str
    dimensions: int
    views: int
    photos: int
    computed: int
    reused: int
    seconds: float
    photos_per_second: float
    device: str
    workers: int
    groups: Sequence[tuple[str, int]] = ()
    bytes_per_view: int = 0
    choice: str = ""
    study: StudyReport | None = None

    @property
    def group_sizes(self) -> Mapping[str, int]:
        """Numbers per photo of each feature group."""
        return dict(self.groups) or {LAST: self.dimensions}
