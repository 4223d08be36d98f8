"""Training data of a lane: one table of features and one table of answers, shared by all its skills."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]

UNLABELLED = -1  # in tables of label indices: the photo has no label for the skill


@dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """Training and validation photos of a lane, in reduced dimensions.

    Attributes:
        labels: The K_s possible answers of each skill; the skills are in the order of the tables' columns.
        train: Clean views of the training photos, float32, shape (N, P).
        views: Augmented views of the same photos in the same order, each float32, shape (N, P).
        answers: Label indices of the training photos, int64, shape (N, S); `UNLABELLED` for none.
        train_sets: Set of each training photo as an index, int64, shape (N,).
        validation: Validation photos, float32, shape (M, P).
        validation_answers: Label indices of the validation photos, int64, shape (M, S).
        validation_sets: Set of each validation photo as an index, int64, shape (M,); no training photo is of any.
        class_weights: Policy against imbalance of the skills that `policies` does not name.
        view_answers: Label indices of each view, int64, shape (N, S), where they differ from those of the photos, as a
            transform breaks labels; empty: those of the photos.
        starts: Weight (K, P) and bias (K,) of a linear head near each skill's solution; fits may start there.
        policies: Policy against imbalance of each skill, one of `components.train.imbalance.POLICIES`.
    """

    labels: Mapping[str, tuple[str, ...]]
    train: Floats
    views: tuple[Floats, ...]
    answers: Array
    train_sets: Array
    validation: Floats
    validation_answers: Array
    validation_sets: Array
    class_weights: str = "balanced"
    view_answers: tuple[Array, ...] = ()
    starts: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def skills(self) -> tuple[str, ...]:
        """Names of the lane's skills."""
        return tuple(self.labels)

    def policy(self, skill: str) -> str:
        """Return a skill's policy against imbalance."""
        return self.policies.get(skill, self.class_weights)

    def subset(self, skills: list[str]) -> "Lane":
        """Return the same lane with only these skills."""
        columns = [self.skills.index(skill) for skill in skills]
        return Lane(
            labels={skill: self.labels[skill] for skill in skills},
            train=self.train,
            views=self.views,
            answers=self.answers[:, columns],
            train_sets=self.train_sets,
            validation=self.validation,
            validation_answers=self.validation_answers[:, columns],
            validation_sets=self.validation_sets,
            class_weights=self.class_weights,
            view_answers=tuple(answers[:, columns] for answers in self.view_answers),
            starts=self.starts,
            policies={skill: self.policy(skill) for skill in skills},
        )

    def joined(self) -> "Lane":
        """Return the lane with the validation photos appended to the training photos, and none to validate on.

        Validation photos have no augmented views; the clean view replaces each, so that all photos weigh alike.
        """
        return Lane(
            labels=self.labels,
            train=np.concatenate([self.train, self.validation]),
            views=tuple(np.concatenate([view, self.validation]) for view in self.views),
            answers=np.concatenate([self.answers, self.validation_answers]),
            train_sets=np.concatenate([self.train_sets, self.validation_sets + self.train_sets.max(initial=-1) + 1]),
            validation=self.validation[:0],
            validation_answers=self.validation_answers[:0],
            validation_sets=self.validation_sets[:0],
            class_weights=self.class_weights,
            view_answers=tuple(np.concatenate([answers, self.validation_answers]) for answers in self.view_answers),
            starts=self.starts,
            policies=self.policies,
        )

    def table_answers(self) -> tuple[Array, ...]:
        """Label indices of the clean photos and of each view, all of shape (N, S)."""
        return (self.answers, *(self.view_answers or (self.answers,) * len(self.views)))

    def photo_weights(self, answers: Array | None = None) -> Floats:
        """Weight of each training photo in each skill: shape (N, S), each column summing to 1, or 0 without labels.

        Args:
            answers: Label indices, shape (N, S), of one of `table_answers`; None for the clean photos.

        A photo without the skill's label weighs 0. With the policy `none`, all photos weigh alike; with any other, the
        photos of each label weigh 1 / K together, however few they are.
        """
        table = self.answers if answers is None else answers
        weights = np.zeros(table.shape, np.float32)
        for column, (skill, labels) in enumerate(self.labels.items()):
            own = table[:, column]
            known = own != UNLABELLED
            weights[known, column] = label_weights(own[known], len(labels), self.policy(skill))[own[known]]
        return np.asarray(weights / np.maximum(weights.sum(0), np.finfo(np.float32).tiny), np.float32)

    def table_weights(self) -> tuple[Floats, ...]:
        """Weights of the clean photos and of each view, all of shape (N, S); on average each column sums to 1.

        A skill that must not learn from a view at all has its whole weight on the others.
        """
        if not self.view_answers:
            return (self.photo_weights(),) * (1 + len(self.views))
        weights = [self.photo_weights(answers) for answers in self.table_answers()]
        used = np.sum([table.any(0) for table in weights], axis=0)
        return tuple(table * np.float32(len(weights) / np.maximum(used, 1)) for table in weights)


def label_weights(answers: Array, labels: int, policy: str) -> Floats:
    """Weight of one photo of each label, shape (labels,), on average 1 over the photos.

    They are 1 with the policy `none`, and n / (K · n_k) with any other, as in King & Zeng, "Logistic regression in rare
    events data" (2001); a label without photos then gets 0.
    """
    counts = np.bincount(answers, minlength=labels)
    if policy == "none":
        return np.ones(labels, np.float32)
    weights = counts.sum() / (max(np.count_nonzero(counts), 1) * np.maximum(counts, 1))
    return np.asarray(np.where(counts > 0, weights, 0), np.float32)
