"""The plan of a run: the steps one after another, up to the first that has something to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import components
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError
from coachworks.steps import Step, discover
from coachworks.tracking import tracking_of


@dataclass(frozen=True)
class Planned:
    """A step of the plan.

    Attributes:
        step: The step.
        state: `reuse`, `do`, or `follows`: it depends on the steps before it.
        why: Reason, in words.
    """

    step: str
    state: str
    why: str


def plan(fleet: Fleet, refresh: Sequence[str] = (), only: Sequence[str] | None = None) -> Iterator[Planned]:
    """Plan a run of `fleet`, step by step.

    Args:
        fleet: The fleet, located.
        refresh: Steps to do again.
        only: The skills to train; None: all.
    """
    context = open_context(fleet, tracking=tracking_of, dry=True, refresh=refresh, run="dry")
    lanes = fleet.lanes(None if only is None else list(only))
    keys: list[str] = []
    blocked = False
    for step in (step for step in discover(components) if step.name in fleet.steps):
        if blocked:
            yield Planned(step.name, "follows", "")
            continue
        if step.name in refresh:
            yield Planned(step.name, "do", "asked for by --from")
            blocked = True
            continue
        try:
            keys = [result.key for result in _look_up(step, fleet, keys, lanes, context)]
            yield Planned(step.name, "reuse", "its inputs are as before")
        except NotDoneError as err:
            yield Planned(step.name, "do", err.why)
            blocked = True


def _look_up(
    step: Step, fleet: Fleet, keys: list[str], lanes: list[list[str]], context: Context
) -> Iterator[Result[Any]]:
    function = step.function()
    if step.upstream is None:
        yield function(fleet, context=context)
    elif step.joins_lanes:
        yield function(fleet, keys, context=context)
    elif not step.per_lane:
        yield function(fleet, keys[0], context=context)
    else:
        upstream = keys if len(keys) == len(lanes) else keys * len(lanes)
        for key, lane in zip(upstream, lanes, strict=True):
            yield function(fleet, key, lane, context=context)
