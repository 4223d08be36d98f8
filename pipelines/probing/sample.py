"""A sample of a fleet's training and validation photos, in whole sets, divided into folds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.store import Store
from coachworks.tables import read_table
from components.train.lane import UNLABELLED

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Photos with labels; no photo of the test split is among them.

    Attributes:
        photo_ids: The N photos.
        keys: Key of each photo in the store.
        labels: The labels of each skill; the skills are in the order of the columns of `answers`.
        answers: Label indices, int64, shape (N, S); `UNLABELLED` for none.
        sets: Set of each photo as an index, int64, shape (N,).
        folds: Fold of each photo, shape (N,); all photos of a set are in one.
        left_out: Skills that the sample says nothing about, each with the reason.
    """

    photo_ids: tuple[str, ...]
    keys: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    answers: Array
    sets: Array
    folds: Array
    left_out: Mapping[str, str]


def draw_sample(store: Store, validate: Result[Any], fleet: Fleet, *, photos: int, folds: int, seed: int) -> Sample:
    """Draw whole sets at random until there are `photos` photos, and divide them into folds.

    Args:
        store: The store of the results.
        validate: The result of validate; the skills that passed are compared.
        fleet: The fleet.
        photos: Number of photos; the last set may exceed it.
        folds: Number of folds.
        seed: Of the drawing.

    Raises:
        DataError: no skill has two labels in two sets of the sample.
    """
    from components.train.label_matrix import answer_table
    from components.validate.admitted import admitted

    labels = admitted(store, validate, fleet)
    labels = _drawn(labels[labels["split"] != "test"], photos, seed)
    vocabulary = {skill: tuple(fleet.skill(skill).labels) for skill in sorted(set(labels["skill"]))}
    photo_ids, answers, sets = answer_table(labels, vocabulary)
    catalogue = read_table(ancestor(store, validate, "ingest").path / "catalogue.parquet")
    left_out = {skill: "it did not pass validate" for skill in fleet.spec.skills if skill not in vocabulary}
    for column, skill in enumerate(vocabulary):
        if why := _useless(answers[:, column], sets):
            left_out[skill] = why
    compared = [skill for skill in vocabulary if skill not in left_out]
    if not compared:
        reasons = "; ".join(f"{skill}: {why}" for skill, why in left_out.items())
        raise DataError(f"no skill can be compared ({reasons}). Label more photos, or draw more with `--photos`.")
    fold_of_set = np.random.default_rng(seed).permutation(int(sets.max()) + 1) % folds
    return Sample(
        photo_ids=tuple(photo_ids),
        keys=dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True)),
        labels={skill: vocabulary[skill] for skill in compared},
        answers=answers[:, [list(vocabulary).index(skill) for skill in compared]],
        sets=sets,
        folds=fold_of_set[sets],
        left_out=left_out,
    )


def _drawn(labels: "pd.DataFrame", photos: int, seed: int) -> "pd.DataFrame":
    sizes = labels.groupby("set_id")["photo_id"].nunique().sort_index()
    order = np.random.default_rng(seed).permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes.to_numpy()[order]), photos)) + 1
    return labels[labels["set_id"].isin(set(sizes.index[order[:enough]]))]


def _useless(answers: Array, sets: Array) -> str:
    """Return the reason why a skill cannot be compared; empty if it can."""
    known = answers != UNLABELLED
    if len(np.unique(answers[known])) < 2:
        return "its photos in the sample have one label"
    if len(np.unique(sets[known])) < 2:
        return "its photos in the sample are of one set"
    return ""
