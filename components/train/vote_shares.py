"""Shares of the votes on each photo, where people answered a skill differently: labels with their doubt."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.tables import read_table, with_present_names
from components.train.lane_photos import LanePhotos

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


def read_vote_shares(fleet: Fleet, result: Result[Any], photos: LanePhotos) -> Callable[[str], Array | None]:
    """Return a function that gives the shares of the votes of a skill; the table is read at its first call.

    Args:
        fleet: The fleet.
        result: A result that was made from that of ingest, which has the votes.
        photos: The photos; those that train come first in the shares.
    """

    @cache
    def votes() -> "pd.DataFrame":
        ingest = ancestor(result.store, result, "ingest")
        return with_present_names(read_table(ingest.file("votes.parquet")), fleet.renamed)

    def shares(skill: str) -> Array | None:
        return vote_shares(votes(), [*photos.train, *photos.validation], skill, photos.labels[skill])

    return shares


def vote_shares(votes: "pd.DataFrame", photos: Sequence[str], skill: str, labels: Sequence[str]) -> Array | None:
    """Return the share of each photo's votes for each label, shape (N, K); None where no photo has two different ones.

    Args:
        votes: Columns `photo_id`, `skill`, `label`; other labels, such as `unsure`, do not count.
        photos: Ids of the photos.
        skill: The skill.
        labels: Its labels.
    """
    import pandas as pd

    own = votes[votes["skill"] == skill]
    rows, columns = pd.Index(photos).get_indexer(own["photo_id"]), pd.Index(labels).get_indexer(own["label"])
    known = (rows >= 0) & (columns >= 0)
    counts = np.zeros((len(photos), len(labels)))
    np.add.at(counts, (rows[known], columns[known]), 1)
    if not ((counts > 0).sum(1) > 1).any():
        return None
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))
