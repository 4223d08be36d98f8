"""Answers to augmented views: those of the photo, unless a transform of the view breaks the skill's labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.augment.declaration import named
from components.augment.policy import applied, read_policy
from components.augment.study_report import BREAKING, StudyReport, TransformStudy, moves_text
from components.train.lane import UNLABELLED

Array = NDArray[Any]


def broken_transforms(study: StudyReport | None, skills: Sequence[str]) -> dict[str, dict[str, TransformStudy]]:
    """Return the transforms of the policy that break labels, by skill and name; only skills that have one."""
    known = study.skills if study else {}
    broken = {
        skill: {name: effect for name, effect in known[skill].transforms.items() if effect.verdict in BREAKING}
        for skill in skills
        if skill in known
    }
    return {skill: effects for skill, effects in broken.items() if effects}


def left_out(broken: Mapping[str, TransformStudy], *, exchanges: bool) -> str:
    """Return in words which views a skill does not learn from, and why; empty if it learns from all."""
    return "; ".join(
        f"views with {name} " + ("have their labels exchanged, " if exchanges and effect.exchange else "are left out, ")
        + f"as it turns {moves_text(effect)}"
        for name, effect in broken.items()
    )  # fmt: skip


def view_answers(
    augment: Path,
    photos: Sequence[str],
    answers: Array,
    vocabulary: Mapping[str, Sequence[str]],
    broken: Mapping[str, Mapping[str, TransformStudy]],
    *,
    exchanges: bool,
) -> tuple[Array, ...]:
    """Return the answers to each view of the photos; nothing if they are those of the photos throughout.

    Args:
        augment: Folder of the result of augment, with the policy.
        photos: N ids of photos.
        answers: Label indices of the photos, shape (N, S), `UNLABELLED` for none.
        vocabulary: Labels of each of the S skills.
        broken: Transforms that break labels, by skill.
        exchanges: Exchange the labels where a transform exchanges them exactly, instead of leaving its views out.

    Returns:
        Label indices of each view, shape (N, S); `UNLABELLED` where the skill must not learn from the view.
    """
    if not any(skill in broken for skill in vocabulary):
        return ()
    policy = read_policy(augment)
    place = {name: number for number, name in enumerate(named(policy.declared))}
    tables = []
    for view in range(1, policy.views + 1):
        table = answers.copy()
        changed = np.array([applied(policy, photo, view) for photo in photos])
        for column, (skill, labels) in enumerate(vocabulary.items()):
            for name, effect in broken.get(skill, {}).items():
                rows = changed[:, place[name]]
                table[rows, column] = _answers_after(effect, labels, exchanges)[table[rows, column]]
        tables.append(table)
    return tuple(tables)


def _answers_after(effect: TransformStudy, labels: Sequence[str], exchanges: bool) -> Array:
    """Label index after a transform for each label index before it; the last entry is for `UNLABELLED`, which is -1."""
    if not (exchanges and effect.exchange):
        return np.full(len(labels) + 1, UNLABELLED)
    index = {label: number for number, label in enumerate(labels)}
    return np.array([*(index[effect.exchange.get(label, label)] for label in labels), UNLABELLED])
