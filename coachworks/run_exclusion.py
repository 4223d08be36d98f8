"""One run of a fleet at a time on a store, and no run while something is removed from it.

Two fleets that share a store do not exclude each other: results have keys of their own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from coachworks.errors import NotFoundError
from coachworks.leases import HeldError, Lease, acquire, holder_of, holders_below, run_lease
from coachworks.runs import RUNNING, Run, latest_run, read_progress
from coachworks.store import Store

REMOVAL = "prune"  # name of the lease of commands that remove something
_QUIET_AFTER_S = 900.0  # a run on a cluster without progress for so long does not keep others from beginning


def begin_alone(store: Store, run: Run) -> Lease:
    """Acquire the lease of a fleet's runs for a run that is to begin on this machine.

    Raises:
        HeldError: another run of the fleet is in progress, here, on another machine or on a cluster, or something is
            being removed from the store.
    """
    fleet = run.fleet_name
    _refuse_beside_cluster(store, fleet)
    try:
        lease = acquire(store, run_lease(fleet), run.work)
    except HeldError as err:
        raise _busy(store, fleet, err) from err
    removing = holder_of(store, REMOVAL)
    if removing is not None:
        lease.end()
        raise HeldError(
            f"something is being removed from {store.uri}: {removing.who}. Wait until that is done, for example "
            "with `coachworks run --wait`.",
            removing,
        )
    return lease


@contextmanager
def no_run(store: Store, work: str) -> Iterator[None]:
    """Keep runs from beginning for the duration of the block.

    Args:
        store: The store.
        work: Name of the work meanwhile, for others to read.

    Raises:
        HeldError: a run is in progress, or others keep runs from beginning already.
    """
    with acquire(store, REMOVAL, work).renewed():
        for holder in holders_below(store, "runs"):
            raise HeldError(
                f"{holder.who} is in progress on {store.uri}. Wait for it (`coachworks status` shows it); "
                f"{holder.way_to_stop}.",
                holder,
            )
        yield


def refuse_beside_local(store: Store, fleet: str) -> None:
    """Refuse to submit a run to a cluster while a run of the fleet is in progress on some machine.

    Raises:
        HeldError: one is.
    """
    holder = holder_of(store, run_lease(fleet))
    if holder is not None:
        raise HeldError(
            f"{holder.who} is in progress on {store.uri}. Submit when it is done (`coachworks status` shows it); "
            f"{holder.way_to_stop}.",
            holder,
        )


def _busy(store: Store, fleet: str, err: HeldError) -> HeldError:
    if err.holder is None:
        return err
    return HeldError(
        f"another run of the fleet {fleet!r} is in progress on {store.uri}: {err.holder.who}. `coachworks run --wait` "
        f"begins when it is done; `coachworks status` shows it; {err.holder.way_to_stop}.",
        err.holder,
    )


def _refuse_beside_cluster(store: Store, fleet: str) -> None:
    try:
        run = latest_run(store, fleet)
    except NotFoundError:
        return
    if run.fleet_name != fleet or not run.remote or run.state != RUNNING:
        return
    progress = read_progress(store, run.id)
    active_at = max([run.started_at, *(float(state["updated_at"]) for state in progress)])
    if time.time() - active_at < _QUIET_AFTER_S:
        raise HeldError(
            f"another run of the fleet {fleet!r} is in progress on a cluster: {run.work}. `coachworks run --wait` "
            f"begins when it is done; `coachworks status --run {run.id}` shows it, and notices when it is over; "
            f"`coachworks cancel {run.id}` cancels it."
        )
