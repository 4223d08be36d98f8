"""One skill measured: from a head and labelled features to calibrated answers and every number about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.calibration import Reliability, reliability
from components.evaluate.config import EvaluateConfig
from components.evaluate.intervals import Interval, intervals
from components.train.heads import Head, softmax
from components.train.scores import log_loss, tally_by_set
from components.train.temperature import fit_temperature

Array = NDArray[Any]

_BINS = 15  # as in Guo et al. (2017): errors of other numbers of bins do not compare
_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """Photos of one split that carry a skill's label.

    Attributes:
        photo_ids: N of them.
        features: float32, shape (N, D).
        answers: Label indices, int64, shape (N,).
        sets: The set of each photo, shape (N,).
    """

    photo_ids: Sequence[str]
    features: Array
    answers: Array
    sets: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """What came out.

    Attributes:
        head: The head with its temperature.
        probabilities: Calibrated, float32, shape (N, K).
        predicted: Label indices of the answers, shape (N,).
        confidence: Probability of each answer, shape (N,).
        metrics: As `components.evaluate.intervals.intervals` gives them.
        confusion: Photos by true label and answer, int64, shape (K, K).
        before: Reliability with temperature 1.
        after: Reliability with the fitted temperature.
        log_loss: After calibration, in nats.
    """

    head: Head
    probabilities: Array
    predicted: Array
    confidence: Array
    metrics: Mapping[str, Sequence[Interval]]
    confusion: Array
    before: Reliability
    after: Reliability
    log_loss: float


def measure(head: Head, validation: Labelled, test: Labelled, config: EvaluateConfig) -> Measurement:
    """Calibrate the head on the validation photos and measure it on the test photos, of which there is at least one."""
    calibrated = replace(head, temperature=fit_temperature(head.logits(validation.features), validation.answers))
    labels = len(head.labels)
    logits = head.logits(test.features)
    probabilities = softmax(logits, calibrated.temperature)
    predicted = logits.argmax(1)
    confusion = np.zeros((labels, labels), np.int64)
    np.add.at(confusion, (test.answers, predicted), 1)
    return Measurement(
        head=calibrated,
        probabilities=probabilities,
        predicted=predicted,
        confidence=probabilities[np.arange(len(predicted)), predicted],
        metrics=intervals(
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
