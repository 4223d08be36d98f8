"""Measurement of one skill: from a head and labelled features to calibrated answers and all their metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import Interval, metric_intervals
from coachworks.feature_table import FeatureTable, blocks
from coachworks.models.head import Head, softmax
from coachworks.scores import log_loss, tally_by_set
from components.evaluate.calibration import Reliability, reliability
from components.evaluate.config import EvaluateConfig

Array = NDArray[Any]

_BINS = 15  # as in Guo et al. (2017): errors with other numbers of bins are not comparable
_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """Test photos with a label of the skill.

    Attributes:
        photo_ids: N ids.
        features: What the head reads, float32, shape (N, D).
        answers: Label indices, int64, shape (N,).
        sets: The set of each photo, shape (N,).
    """

    photo_ids: Sequence[str]
    features: FeatureTable
    answers: Array
    sets: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """Answers of a head on the test photos, and their metrics.

    Attributes:
        probabilities: Calibrated, float32, shape (N, K).
        predicted: Label indices of the answers, shape (N,).
        confidence: Probability of each answer, shape (N,).
        metrics: Intervals by metric, from `coachworks.bootstrap.metric_intervals`.
        confusion: Photos by true label (rows) and answer (columns), int64, shape (K, K).
        before: Reliability with temperature 1.
        after: Reliability with the head's temperature.
        log_loss: Log loss with the head's temperature, in nats.
    """

    probabilities: Array
    predicted: Array
    confidence: Array
    metrics: Mapping[str, Sequence[Interval]]
    confusion: Array
    before: Reliability
    after: Reliability
    log_loss: float


def measure(head: Head, test: Labelled, config: EvaluateConfig) -> Measurement:
    """Measure the head on at least one test photo; nothing is fitted."""
    labels = len(head.labels)
    logits = np.concatenate([head.logits(block) for block in blocks(test.features)])
    probabilities = softmax(logits, head.temperature)
    predicted = logits.argmax(1)
    confusion = np.zeros((labels, labels), np.int64)
    np.add.at(confusion, (test.answers, predicted), 1)
    return Measurement(
        probabilities=probabilities,
        predicted=predicted,
        confidence=probabilities[np.arange(len(predicted)), predicted],
        metrics=metric_intervals(
            tally_by_set(test.answers, predicted, labels, test.sets),
            replicates=config.replicates,
            confidence=config.confidence,
            seed=_SEED,
        ),
        confusion=confusion,
        before=reliability(softmax(logits), test.answers, _BINS),
        after=reliability(probabilities, test.answers, _BINS),
        log_loss=log_loss(probabilities, test.answers),
    )
