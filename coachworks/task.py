"""What every KFP component does: read the fleet, run its step inside the run it belongs to."""

import importlib
from typing import Any

from coachworks.context import step_context
from coachworks.fleet.model import Fleet
from coachworks.results import Result
from coachworks.runs import finish_remote, record_result
from coachworks.settings import apply_quiet_settings, take_mounted_environment
from coachworks.steps import Step
from coachworks.store import open_store


def run_task(name: str, fleet: str, *inputs: Any, **settings: Any) -> Result:
    """Run a step as a task of the pipeline.

    Args:
        name: The step.
        fleet: The fleet, as JSON.
        inputs: What the step continues from: the upstream key or keys and, for a step on a lane, its skills.
        settings: The step's settings by name.
    """
    take_mounted_environment()
    apply_quiet_settings()
    step: Step = importlib.import_module(f"components.{name}").STEP
    located = Fleet.from_json(fleet)
    lane = str(inputs[-1][0]) if step.per_lane else ""
    store = open_store(located.spec.store)
    with step_context(store, name, located, lane=lane) as context:
        result: Result = step.function()(located, *inputs, config=step.config(**settings), context=context)
    if context.run is not None:
        record_result(store, context.run, name, lane, result.key)
        finish_remote(store, context.run, result)
    return result
