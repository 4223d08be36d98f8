"""Conversion of the table of labels to label indices per photo and skill."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.train.lane import UNLABELLED

if TYPE_CHECKING:
    import pandas as pd


def answer_table(
    labels: "pd.DataFrame", vocabulary: Mapping[str, Sequence[str]]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the photos and their answers, from one row per photo and skill.

    Args:
        labels: Columns `photo_id`, `set_id`, `skill`, `label`.
        vocabulary: Labels of each skill; other skills and labels must not occur.

    Returns:
        N sorted photo ids, label indices (N, skills) with `UNLABELLED` for none, and each photo's set as an index (N,).
    """
    photos = sorted(labels["photo_id"].unique())
    row_of = {photo: row for row, photo in enumerate(photos)}
    column_of = {skill: column for column, skill in enumerate(vocabulary)}
    index_of = {skill: {label: i for i, label in enumerate(names)} for skill, names in vocabulary.items()}
    answers = np.full((len(photos), len(vocabulary)), UNLABELLED, np.int64)
    sets = np.zeros(len(photos), np.int64)
    set_of = {name: index for index, name in enumerate(sorted(labels["set_id"].unique()))}
    for photo, set_id, skill, label in labels[["photo_id", "set_id", "skill", "label"]].itertuples(index=False):
        answers[row_of[photo], column_of[skill]] = index_of[skill][label]
        sets[row_of[photo]] = set_of[set_id]
    return photos, answers, sets
