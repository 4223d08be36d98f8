"""Skills that are fine-tuned, and what becomes of a fine-tuned winner."""

from typing import Any

import numpy as np
import pytest
from small_fleets import small_fleet

from components.train import linear
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.refit import refit
from components.train.temperature import fit_temperature

KINDS = {"three": ("linear", "fine-tune"), "five": ("linear", "fine-tune"), "two": ("linear",)}


def test_it_is_tried_unless_a_simpler_candidate_reaches_the_gate(lane_and_reduction: Any) -> None:
    lane, reduction = lane_and_reduction
    outcomes = compete(
        lane, reduction, KINDS, TrainConfig(), fine_tune=linear.fit, enough={"three": 0.3, "five": 1.01, "two": 0.0}
    )
    tried = {skill: set(outcome.entries) for skill, outcome in outcomes.items()}
    assert tried == {"three": {"linear"}, "five": {"linear", "fine-tune"}, "two": {"linear"}}
    assert "It was not fine-tuned, because the best, " in outcomes["three"].why
    assert "reaches the gate minBalancedAccuracy of 0.3" in outcomes["three"].why
    assert outcomes["five"].winner == "linear"  # as good, and simpler


def test_a_skill_with_no_other_candidate_is_fine_tuned_and_stays_as_it_competed(lane_and_reduction: Any) -> None:
    lane, reduction = lane_and_reduction
    lane = lane.subset(["three"])
    config = TrainConfig()
    outcomes = compete(lane, reduction, {"three": ("fine-tune",)}, config, fine_tune=linear.fit, enough={"three": 0.0})
    candidate = outcomes["three"].entries["fine-tune"].candidate
    kept = refit(lane, lane.joined(), reduction, outcomes, config)["three"]
    assert kept.kept
    assert kept.candidate is candidate
    known = lane.validation_answers[:, 0] >= 0
    expected = fit_temperature(candidate.logits[known], lane.validation_answers[known, 0])
    assert kept.calibration.temperature == expected
    assert kept.calibration.why.startswith(f"temperature, from {known.sum()} validation answers, by which its training")
    assert kept.photos == np.sum(lane.answers[:, 0] >= 0)


@pytest.mark.parametrize(
    ("defaults", "own", "enough"),
    [
        ({}, {}, None),
        ({"fineTune": "auto"}, {}, None),
        ({"fineTune": "auto", "gates": {"minBalancedAccuracy": 0.9}}, {}, 0.9),
        ({"fineTune": "auto"}, {"gates": {"minBalancedAccuracy": 0.8}}, 0.8),
        ({"fineTune": "auto", "gates": {"minBalancedAccuracy": 0.9}}, {"fineTune": "always"}, None),
        ({"gates": {"minBalancedAccuracy": 0.9}}, {"fineTune": "auto"}, 0.9),
    ],
)
def test_a_fleet_says_with_which_accuracy_a_skill_needs_no_fine_tuning(
    defaults: dict[str, Any], own: dict[str, Any], enough: float | None
) -> None:
    fleet = small_fleet({"shape": {"labels": ["a", "b"], **own}}, defaults=defaults)
    assert fleet.enough_without_tuning("shape") == enough
