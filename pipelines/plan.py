"""The plan of a run: the steps one after another, up to the first that has something to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coachworks.context import open_context
from coachworks.fleet.model import Fleet
from coachworks.results import NotDoneError
from coachworks.steps import Step
from coachworks.tracking import tracking_of
from pipelines.chain import do_step, steps_of


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

    def look_up(step: Step, *inputs: Any) -> str:
        return str(step.function()(fleet, *inputs, context=context).key)

    keys: list[str] = []
    blocked = False
    for step in steps_of(fleet):
        if blocked:
            yield Planned(step.name, "follows", "")
            continue
        if step.name in refresh:
            yield Planned(step.name, "do", "asked for by --from")
            blocked = True
            continue
        try:
            keys = do_step(step, keys, lanes, look_up)
            yield Planned(step.name, "reuse", "its inputs are as before")
        except NotDoneError as err:
            yield Planned(step.name, "do", err.why)
            blocked = True
