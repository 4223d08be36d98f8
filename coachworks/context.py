"""What a step knows about the run it is part of: where progress goes, and what must be done afresh."""

import json
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress, StoreProgress
from coachworks.runs import adopt_run
from coachworks.store import Store

RUN_VARIABLE = "COACHWORKS_RUN"


@dataclass(frozen=True)
class Context:
    """A step's surroundings.

    Attributes:
        progress: Where long work reports to.
        run: Id of the pipeline run, or None outside of one.
        refresh: Steps to do afresh even where a result is there.
        dry: Whether nothing may be done, only looked up.
    """

    progress: Progress = SILENT
    run: str | None = None
    refresh: frozenset[str] = frozenset()
    dry: bool = False


ALONE = Context()


@contextmanager
def step_context(
    store: Store, step: str, fleet: Fleet, *, lane: str = "", environ: Mapping[str, str] = os.environ
) -> Iterator[Context]:
    """The context of a step that runs as a pipeline task, read from the environment once.

    A failure is recorded in the run (`runs/<run>/errors/<step>.json`), so that people see the step's own
    message instead of a traceback in a pod's log; then it is raised again.
    """
    run_id = environ.get(RUN_VARIABLE)
    if not run_id:
        yield ALONE
        return
    name = f"{step}.{lane}" if lane else step
    run = adopt_run(store, run_id, fleet)
    progress = StoreProgress(store, f"runs/{run_id}/progress/{name}.json", step=step, lane=lane)
    try:
        yield Context(progress=progress, run=run_id, refresh=frozenset(run.refresh))
    except BaseException as err:
        failure = {
            "step": step,
            "lane": lane,
            "type": type(err).__name__,
            "message": str(err) if isinstance(err, CoachworksError) else f"{type(err).__name__}: {err}",
            "traceback": traceback.format_exc(),
        }
        store.write(f"runs/{run_id}/errors/{name}.json", json.dumps(failure).encode())
        progress.close("failed")
        raise
    progress.close("done")
