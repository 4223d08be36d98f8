"""The steps of a fleet in their order, each with the keys that the step before it handed on.

The order and the inputs are those that `pipelines.fleet` composes for Kubeflow Pipelines;
tests/pipelines/test_compiled.py compares both.
"""

from collections.abc import Callable, Sequence
from typing import Any

import components
from coachworks.fleet.model import Fleet
from coachworks.steps import Step, discover

Do = Callable[..., str]
"""Does a step for its inputs and returns the key of its result: `do(step, upstream, lane)`, as far as it has them."""


def steps_of(fleet: Fleet) -> list[Step]:
    """Return the steps of the fleet's pipeline, in their order."""
    return [step for step in discover(components) if step.name in fleet.steps]


def do_step(step: Step, keys: Sequence[str], lanes: Sequence[Sequence[str]], do: Do) -> list[str]:
    """Do a step, once per lane if it works on lanes.

    Args:
        step: The step.
        keys: Keys of the results of the step before it.
        lanes: The skills to train, lane by lane.
        do: Does it, and returns the key of its result.

    Returns:
        Keys of its results: one, or one per lane.
    """
    inputs: list[tuple[Any, ...]]
    if step.upstream is None:
        inputs = [()]
    elif step.joins_lanes:
        inputs = [(list(keys),)]
    elif not step.per_lane:
        inputs = [(keys[0],)]
    else:
        upstream = keys if len(keys) == len(lanes) else [*keys] * len(lanes)
        inputs = [(key, list(lane)) for key, lane in zip(upstream, lanes, strict=True)]
    return [do(step, *each) for each in inputs]
