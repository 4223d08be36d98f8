"""Photos of a lane: which train and which validate, and their answers, as photos and as augmented views."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.train.label_matrix import answer_table
from components.train.lane import Lane
from components.train.usable_views import broken_transforms, left_out, view_answers

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class LanePhotos:
    """The photos of a lane and their answers.

    Attributes:
        labels: The labels of each skill; the skills are in the order of the tables' columns.
        train: Ids of the N training photos.
        answers: Their label indices, int64, shape (N, S).
        train_sets: Set of each as an index, shape (N,).
        validation: Ids of the M validation photos.
        validation_answers: Their label indices, shape (M, S).
        validation_sets: Set of each as an index, shape (M,).
        view_answers: Label indices of each augmented view, shape (N, S); empty: those of the photos.
        left_out: Views left out or given other labels, in words; only skills that have any.
    """

    labels: Mapping[str, tuple[str, ...]]
    train: list[str]
    answers: Array
    train_sets: Array
    validation: list[str]
    validation_answers: Array
    validation_sets: Array
    view_answers: tuple[Array, ...]
    left_out: Mapping[str, str]

    def lane(self, train: Floats, views: tuple[Floats, ...], validation: Floats, class_weights: str) -> Lane:
        """Return the lane with these features of the photos, in reduced dimensions."""
        return Lane(
            labels=self.labels,
            train=train,
            views=views,
            answers=self.answers,
            train_sets=self.train_sets,
            validation=validation,
            validation_answers=self.validation_answers,
            validation_sets=self.validation_sets,
            class_weights=class_weights,
            view_answers=self.view_answers,
        )


def photos_of_lane(
    fleet: Fleet, embed: Result[EmbedReport], labels: "pd.DataFrame", skills: list[str], progress: Progress
) -> LanePhotos:
    """Return the photos of some skills.

    Args:
        fleet: The fleet.
        embed: The result of embed, whose study names the transforms that break labels.
        labels: Admitted labels, one row per photo and skill.
        skills: The skills.
        progress: Receives a note for each skill that does not learn from all views as they are.
    """
    vocabulary = {skill: tuple(fleet.skill(skill).labels) for skill in skills}
    labels = labels[labels["skill"].isin(skills)]
    photos, answers, own_sets = answer_table(labels[labels["split"] == "train"], vocabulary)
    tested, tested_answers, sets = answer_table(labels[labels["split"] == "validation"], vocabulary)
    exchanges = fleet.spec.augment.exchange_labels
    broken = broken_transforms(embed.report.study, skills)
    remarks = {skill: left_out(effects, exchanges=exchanges) for skill, effects in broken.items()}
    for skill, remark in remarks.items():
        progress.note(f"{skill}: {remark}")
    seen: tuple[Array, ...] = ()
    if broken:
        augment = ancestor(embed.store, embed, AugmentReport)
        seen = view_answers(augment.path, photos, answers, vocabulary, broken, exchanges=exchanges)
    return LanePhotos(
        labels=vocabulary,
        train=photos,
        answers=answers,
        train_sets=own_sets,
        validation=tested,
        validation_answers=tested_answers,
        validation_sets=sets,
        view_answers=seen,
        left_out=remarks,
    )
