"""A task of the pipeline: a step that runs inside the run it belongs to, as each KFP component starts it."""

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from coachworks.context import Context, open_context
from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.progress import StoreProgress
from coachworks.result import Result
from coachworks.runs import RUN_VARIABLE, Run, adopt_run, finish_remote, record_result
from coachworks.settings import apply_quiet_settings, take_mounted_environment
from coachworks.steps import find_step
from coachworks.storage_failures import StorageError, storage_failure
from coachworks.store import write_record
from coachworks.tracking import tracking_of

LANE_LABEL = "coachworks.dev/lane"  # the lane's first skill
SKILL_LABEL = "skill.coachworks.dev"  # prefix of a label per skill


@dataclass(frozen=True)
class Task:
    """A task that is done.

    Attributes:
        fleet: The fleet, located.
        context: Its surroundings.
        result: Its result.
    """

    fleet: Fleet
    context: Context
    result: Result[Any]


def run_task(name: str, fleet: str, *inputs: Any, **settings: Any) -> Task:
    """Run a step as a task of the pipeline.

    Args:
        name: The step.
        fleet: The fleet, as JSON.
        inputs: The upstream key or keys and, for a step on a lane, its skills.
        settings: The step's settings by name.
    """
    take_mounted_environment()
    apply_quiet_settings()
    step, located = find_step(name), Fleet.from_json(fleet)
    lane = str(inputs[-1][0]) if step.per_lane else ""
    context = open_context(located, tracking=tracking_of)
    run_id = os.environ.get(RUN_VARIABLE)
    run = adopt_run(context.store, run_id, located) if run_id else None
    if lane:
        _label_pod(inputs[-1])
    with recorded(context, run, name, lane) if run else nullcontext(context) as context:
        result = step.function()(located, *inputs, config=step.config(**settings), context=context)
    if run:
        record_result(context.store, run.id, name, lane, result.key)
        finish_remote(context.store, run, result)
    return Task(located, context, result)


def _label_pod(skills: Sequence[str]) -> None:
    """Label the pod with its lane and skills; the compiled pipeline cannot, because it does not know the lanes."""
    from coachworks.kubernetes_api import label_own_pod

    label_own_pod({LANE_LABEL: skills[0]} | {f"{SKILL_LABEL}/{skill}": "true" for skill in skills})


def _message_of(err: BaseException) -> str:
    cause = storage_failure(err) or err
    return str(cause) if isinstance(cause, CoachworksError) else f"{type(err).__name__}: {err}"


@contextmanager
def recorded(context: Context, run: Run, step: str, lane: str = "") -> Iterator[Context]:
    """Give the context of a step whose progress is published in its run, and record its failure there.

    A failure is written to `runs/<run>/errors/<step>.json`, so that people see the step's own message instead of a
    traceback in a pod's log; then it is raised again.
    """
    store, name = context.store, f"{step}.{lane}" if lane else step
    progress = StoreProgress(store, f"runs/{run.id}/progress/{name}.json", step=step, lane=lane)
    try:
        yield Context(
            store,
            progress=progress,
            run=run.id,
            refresh=frozenset(run.refresh),
            open_tracking=context.open_tracking,
        )
    except BaseException as err:
        failure = {
            "step": step,
            "lane": lane,
            "type": type(err).__name__,
            "message": _message_of(err),
            "traceback": traceback.format_exc(),
        }
        with suppress(StorageError):  # the disk that made the step fail may be full still
            write_record(store, f"runs/{run.id}/errors/{name}.json", failure)
            progress.close("failed")
        raise
    progress.close("done")
