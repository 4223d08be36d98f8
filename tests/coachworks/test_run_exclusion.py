"""One run of a fleet at a time on a store."""

import json
import time

import pytest
from small_fleets import small_fleet

from coachworks.errors import CoachworksError
from coachworks.leases import HeldError, acquire, holder_of, run_lease
from coachworks.run_exclusion import REMOVAL, begin_alone, refuse_beside_local
from coachworks.runs import (
    INTERRUPTED,
    RUNNING,
    SUCCEEDED,
    Run,
    latest_run,
    load_run,
    new_run,
    record_remote,
    start_run,
)
from coachworks.store import FolderStore, Store, read_record, write_record

CARS, TRUCKS = (small_fleet({"a": {"labels": ["yes", "no"]}}, name=name).to_json() for name in ("cars", "trucks"))


def elsewhere(store: Store, run: Run) -> None:
    """Rewrite a run and its lease as those of another machine."""
    other = {"machine": "0123456789ab", "pid": 1, "started": "77"}
    document = read_record(store, f"runs/{run.id}/run.json")
    document |= {"machine": other["machine"], "pid": 1, "process_started": "77", "host": "other"}
    write_record(store, f"runs/{run.id}/run.json", document)
    for key in store.list(f"leases/{run_lease('cars')}"):
        holder = json.loads(store.read(key)) | {"process": other, "host": "other"}
        store.write(key, json.dumps(holder).encode())


def test_the_second_run_is_refused_by_name_and_the_status_of_the_first_stays(any_store: Store) -> None:
    first = new_run(CARS, [["a"]])
    lease = begin_alone(any_store, first)
    start_run(any_store, first)
    with pytest.raises(HeldError) as refused:
        begin_alone(any_store, new_run(CARS, [["a"]]))
    assert refused.value.exit_status == 5
    message = str(refused.value)
    assert message.startswith(f"another run of the fleet 'cars' is in progress on {any_store.uri}: run {first.id}, by ")
    assert (
        f"`coachworks run --wait` begins when it is done; `coachworks status` shows it; `kill {first.pid}`" in message
    )
    assert (latest_run(any_store, "cars").id, latest_run(any_store, "cars").state) == (first.id, RUNNING)
    lease.end()
    begin_alone(any_store, new_run(CARS, [["a"]])).end()


def test_runs_of_two_fleets_on_one_store_do_not_exclude_each_other_and_keep_their_status(store: FolderStore) -> None:
    runs = [new_run(fleet, [["a"]]) for fleet in (CARS, TRUCKS)]
    for run in runs:
        begin_alone(store, run)
        start_run(store, run)
    assert [latest_run(store, name).id for name in ("cars", "trucks")] == [run.id for run in runs]
    assert latest_run(store).id == runs[1].id


def test_a_store_of_an_earlier_version_shows_its_latest_run(store: FolderStore) -> None:
    run = new_run(CARS, [["a"]])
    fields = json.loads(run.to_bytes())
    store.write(f"runs/{run.id}/run.json", json.dumps({k: fields[k] for k in list(fields)[:-2]}).encode())
    store.set_link("latest/run", f"runs/{run.id}")
    assert latest_run(store, "cars").state == RUNNING


def test_a_run_beside_one_on_a_cluster_is_refused_until_that_is_over(store: FolderStore) -> None:
    record = record_remote(store, "5f0c", CARS, [["a"]])
    with pytest.raises(HeldError, match=r"in progress on a cluster: run 5f0c. .* `coachworks cancel 5f0c` cancels it."):
        begin_alone(store, new_run(CARS, [["a"]]))
    begin_alone(store, new_run(TRUCKS, [["a"]])).end()
    record.ended(store, SUCCEEDED)
    begin_alone(store, new_run(CARS, [["a"]])).end()


def test_a_run_on_a_cluster_that_has_been_silent_keeps_nobody_waiting(store: FolderStore) -> None:
    run = Run(id="5f0c", fleet=CARS, lanes=[], started_at=time.time() - 1000)
    start_run(store, run)
    begin_alone(store, new_run(CARS, [["a"]])).end()


def test_submitting_beside_a_local_run_is_refused(store: FolderStore) -> None:
    refuse_beside_local(store, "cars")
    begin_alone(store, new_run(CARS, [["a"]]))
    with pytest.raises(HeldError, match=r"run 20.* is in progress on .* Submit when it is done \(`coachworks status`"):
        refuse_beside_local(store, "cars")
    refuse_beside_local(store, "trucks")


def test_a_run_on_another_machine_is_interrupted_once_its_lease_is_over(any_store: Store) -> None:
    run = new_run(CARS, [["a"]])
    lease = begin_alone(any_store, run)
    start_run(any_store, run)
    elsewhere(any_store, run)
    assert load_run(any_store, run.id).state == RUNNING
    lease.end()
    assert load_run(any_store, run.id).state == INTERRUPTED


def test_no_run_begins_while_unused_models_are_removed(store: FolderStore) -> None:
    with acquire(store, REMOVAL, "`coachworks prune`").renewed():
        with pytest.raises(HeldError, match=r"something is being removed from .*: `coachworks prune`, by .* Wait"):
            begin_alone(store, new_run(CARS, [["a"]]))
        assert holder_of(store, run_lease("cars")) is None
    begin_alone(store, new_run(CARS, [["a"]])).end()


def test_a_refusal_is_an_error_with_a_status_of_its_own() -> None:
    assert (HeldError("busy").exit_status, CoachworksError("other").exit_status) == (5, 1)
