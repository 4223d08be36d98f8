"""Reading of the features of a result of embed, one group at a time, as all of training does it."""

from collections.abc import Callable, Sequence

from coachworks.feature_table import FeatureTable
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from components.embed.report import EmbedReport
from components.embed.stored_features import read_features

Read = Callable[[Sequence[str], int, str], FeatureTable]  # (photo ids, view, group) -> features (N, D)


def reader(fleet: Fleet, embed: Result[EmbedReport], progress: Progress) -> Read:
    """Return a function that reads photos of `embed` in one view and feature group, as `read_features` does."""

    def read(photo_ids: Sequence[str], view: int, group: str) -> FeatureTable:
        return read_features(fleet, embed, photo_ids, view, groups=(group,), progress=progress)

    return read
