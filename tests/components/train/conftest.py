"""Small lanes of drawn points, and the heads that are trained on them."""

from collections.abc import Callable

import numpy as np
import pytest

from coachworks.models.head import Head
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction, fit_reduction

KINDS = ("linear", "naive-bayes", "knn", "svm", "mlp")


def draw_points(photos, dimensions, *label_counts, seed=0, spread=1.0):
    """Points around one centre per label of the first skill; further skills answer other questions about them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(label_counts[0], dimensions)) * 2
    first = rng.integers(0, label_counts[0], photos)
    points = (centres[first] + rng.normal(size=(photos, dimensions)) * spread).astype(np.float32)
    answers = [first]
    for count in label_counts[1:]:
        scores = points @ rng.normal(size=(dimensions, count))
        answers.append((scores + rng.gumbel(size=scores.shape)).argmax(1))
    return points, np.stack(answers, axis=1)


def make_lane(points, answers, labels, *, components=512, views=(), **rest):
    """A lane whose last quarter of the photos validates, with the reduction it was made by."""
    cut = len(points) * 3 // 4
    reduction = fit_reduction(points[:cut], components)
    lane = Lane(
        labels=labels,
        train=reduction(points[:cut]),
        views=tuple(reduction(view[:cut]) for view in views),
        answers=answers[:cut],
        train_sets=np.arange(cut),
        validation=reduction(points[cut:]),
        validation_answers=answers[cut:],
        validation_sets=np.arange(len(points) - cut),
        **rest,
    )
    return lane, reduction


@pytest.fixture(scope="session", name="draw_points")
def _draw_points():
    return draw_points


@pytest.fixture(scope="session", name="make_lane")
def _make_lane():
    return make_lane


@pytest.fixture(scope="session")
def lane_and_reduction() -> tuple[Lane, Reduction]:
    points, answers = draw_points(400, 20, 3, 5, 2)
    answers[np.random.default_rng(5).random(answers.shape) < 0.2] = UNLABELLED
    labels = {"three": ("a", "b", "c"), "five": tuple("vwxyz"), "two": ("no", "yes")}
    return make_lane(points, answers, labels)


@pytest.fixture(scope="session")
def outcomes(lane_and_reduction):
    lane, reduction = lane_and_reduction
    return compete(lane, reduction, dict.fromkeys(lane.skills, KINDS), TrainConfig())


@pytest.fixture(scope="session")
def trained_head(lane_and_reduction, outcomes) -> Callable[..., Head]:
    """The head of a kind for a skill of the lane."""
    lane, _ = lane_and_reduction

    def head(kind, skill="three", **changes):
        candidate = outcomes[skill].entries[kind].candidate
        settings = {
            "kind": kind,
            "labels": lane.labels[skill],
            "arrays": candidate.arrays,
            "backbone_digest": "b" * 64,
            "parameters": candidate.parameters,
        }
        return Head(**{**settings, **changes})

    return head
