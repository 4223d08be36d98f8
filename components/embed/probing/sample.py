"""A sample of a fleet's training and validation photos, in whole sets, divided into folds skill by skill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError
from coachworks.fleet.model import Fleet
from coachworks.photos import Frame
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.store import Store
from coachworks.tables import read_table
from components.embed.framing import frames_of

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class SkillSample:
    """The photos of one skill in the sample.

    Attributes:
        rows: Places of its M photos among those of the sample, shape (M,).
        truth: Label indices, shape (M,).
        sets: Set of each photo as an index, shape (M,).
        folds: Fold of each photo, shape (M,); all photos of a set are in one.
        labels: Names of the labels.
    """

    rows: Array
    truth: Array
    sets: Array
    folds: Array
    labels: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Photos with labels; no photo of the test split is among them.

    Attributes:
        photo_ids: The photos.
        keys: Key of each photo in the store.
        sets: Number of sets.
        frames: Frame of each photo that is cropped or turned.
        skills: The skills' photos.
        left_out: Skills that the sample says nothing about, each with the reason.
    """

    photo_ids: tuple[str, ...]
    keys: Mapping[str, str]
    sets: int
    frames: Mapping[str, Frame]
    skills: Mapping[str, SkillSample]
    left_out: Mapping[str, str]


def draw_sample(store: Store, validated: Result[Any], fleet: Fleet, *, photos: int, folds: int, seed: int) -> Sample:
    """Draw whole sets at random until there are `photos` photos, and divide each skill's sets into folds.

    Args:
        store: The store of the results.
        validated: The result of validate, or of a later step; the skills that passed are compared.
        fleet: The fleet.
        photos: Number of photos; the last set may exceed it.
        folds: Number of folds.
        seed: Seed of the drawing.

    Raises:
        DataError: no skill has two labels in two sets of the sample.
    """
    from components.validate.admitted import admitted

    labels = admitted(store, validated, fleet)
    labels = _drawn(labels[labels["split"] != "test"], photos, seed)
    photo_ids = sorted(labels["photo_id"].unique())
    place = {photo_id: row for row, photo_id in enumerate(photo_ids)}
    skills: dict[str, SkillSample] = {}
    left_out: dict[str, str] = {}
    for skill in fleet.spec.skills:
        own = labels[labels["skill"] == skill].sort_values("photo_id")
        if reason := _useless(own):
            left_out[skill] = reason
        else:
            skills[skill] = _skill_sample(own, fleet.skill(skill).labels, place, folds, seed)
    if not skills:
        reasons = "; ".join(f"{skill}: {why}" for skill, why in left_out.items())
        raise DataError(f"no skill can be compared ({reasons}). Label more photos, or draw more with `--photos`.")
    catalogue = read_table(ancestor(store, validated, "ingest").path / "catalogue.parquet")
    return Sample(
        photo_ids=tuple(photo_ids),
        keys=dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True)),
        sets=int(labels["set_id"].nunique()),
        frames=frames_of(catalogue, fleet),
        skills=skills,
        left_out=left_out,
    )


def _drawn(labels: "pd.DataFrame", photos: int, seed: int) -> "pd.DataFrame":
    sizes = labels.groupby("set_id")["photo_id"].nunique().sort_index()
    order = np.random.default_rng(seed).permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes.to_numpy()[order]), photos)) + 1
    return labels[labels["set_id"].isin(set(sizes.index[order[:enough]]))]


def _useless(labels: "pd.DataFrame") -> str:
    """Return the reason why a skill with these labels cannot be compared; empty if it can."""
    if len(labels) == 0:
        return "it did not pass validate, or none of its photos is in the sample"
    if labels["label"].nunique() < 2:
        return "its photos in the sample have one label"
    if labels["set_id"].nunique() < 2:
        return "its photos in the sample are of one set"
    return ""


def _skill_sample(
    own: "pd.DataFrame", labels: Sequence[str], place: Mapping[str, int], folds: int, seed: int
) -> SkillSample:
    index = {label: number for number, label in enumerate(labels)}
    sets = np.unique(own["set_id"].to_numpy().astype(str), return_inverse=True)[1]
    fold_of_set = np.random.default_rng(seed).permutation(int(sets.max()) + 1) % folds
    return SkillSample(
        rows=np.array([place[photo_id] for photo_id in own["photo_id"]]),
        truth=np.array([index[label] for label in own["label"]]),
        sets=sets,
        folds=fold_of_set[sets],
        labels=tuple(labels),
    )
