"""The surroundings of a step: the opened store and tracking, progress, and the run that it belongs to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.store import Store, open_store

if TYPE_CHECKING:
    from coachworks.tracking import Tracking


@dataclass(frozen=True)
class Context:
    """The surroundings of a step, opened once per task.

    Attributes:
        store: The fleet's store.
        progress: Receives progress updates.
        run: Id of the pipeline run, or None outside of one.
        refresh: Steps to do again even if their result exists.
        dry: Only look up results, and do nothing.
        open_tracking: Opens the fleet's tracking; None where no step needs it.
    """

    store: Store
    progress: Progress = SILENT
    run: str | None = None
    refresh: frozenset[str] = frozenset()
    dry: bool = False
    open_tracking: "Callable[[], Tracking] | None" = field(default=None, repr=False, compare=False)

    @cached_property
    def tracking(self) -> "Tracking":
        """The fleet's tracking, opened at the first access."""
        if self.open_tracking is None:
            raise RuntimeError("this context was opened without tracking: pass `tracking=tracking_of` to open_context")
        return self.open_tracking()


def open_context(
    fleet: Fleet,
    *,
    tracking: "Callable[[Fleet], Tracking] | None" = None,
    progress: Progress = SILENT,
    run: str | None = None,
    refresh: Iterable[str] = (),
    dry: bool = False,
) -> Context:
    """Open the store of a fleet for one task; a step that is called without a context does this itself.

    Args:
        fleet: The fleet, located.
        tracking: `coachworks.tracking.tracking_of` for steps that use MLflow. It is passed in, so that the keys of all
            other steps do not depend on the code of the tracking.
        progress: Receives progress updates.
        run: Id of the pipeline run.
        refresh: Steps to do again.
        dry: Only look up results.
    """
    return Context(
        open_store(fleet.spec.store),
        progress=progress,
        run=run,
        refresh=frozenset(refresh),
        dry=dry,
        open_tracking=None if tracking is None else lambda: tracking(fleet),
    )
