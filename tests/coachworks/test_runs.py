import os
from contextlib import nullcontext

import pytest
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.deploy import Deploy
from coachworks.result import Result
from coachworks.runs import (
    CANCELLED,
    INTERRUPTED,
    RUNNING,
    SUCCEEDED,
    adopt_run,
    finish_remote,
    latest_run,
    load_run,
    mark_cancelled,
    new_run,
    read_errors,
    read_progress,
    record_remote,
    start_run,
)
from coachworks.store import FolderStore, S3Store, read_record, write_record
from coachworks.task import recorded

FLEET = small_fleet({name: {"labels": ["yes", "no"]} for name in ("a", "b", "c")}, name="cars", lanes=2)


def test_a_step_of_a_run_publishes_its_progress(store: FolderStore) -> None:
    run = start_run(store, new_run("{}", [["a"]], refresh=["train"]))
    with recorded(Context(store), run, "train", "a") as context:
        assert (context.run, context.refresh) == (run.id, {"train"})
        with context.progress.task("fit", total=4, unit="skills") as task:
            task.advance(3)
            (state,) = read_progress(store, run.id)
            assert state["task"]["total"] == 4
        context.progress.note("hello")
    (state,) = read_progress(store, run.id)
    assert (state["step"], state["lane"], state["state"], state["notes"]) == ("train", "a", "done", ["hello"])


def test_a_failing_step_leaves_its_own_message_in_the_run(store: FolderStore) -> None:
    run = start_run(store, new_run("{}", [["a"]]))
    with pytest.raises(DataError), recorded(Context(store), run, "split"):
        raise DataError("no photo has a label")
    (error,) = read_errors(store, run.id)
    assert error["message"] == "no photo has a label"
    assert "Traceback" in error["traceback"]
    assert read_progress(store, run.id)[0]["state"] == "failed"


def test_a_run_whose_process_is_gone_was_interrupted(store: FolderStore) -> None:
    run = start_run(store, new_run("{}", [["a"]]))
    assert load_run(store, run.id).state == RUNNING
    record = read_record(store, f"runs/{run.id}/run.json") | {"pid": 2**22 - 7}
    write_record(store, f"runs/{run.id}/run.json", record)
    assert latest_run(store).state == INTERRUPTED
    assert os.getpid() == run.pid


def test_the_first_step_of_a_recurring_run_creates_the_missing_record(store: FolderStore) -> None:
    assert adopt_run(store, "5f0c", FLEET).id == "5f0c"
    run = latest_run(store)
    assert (run.id, run.lanes, run.remote, run.state) == ("5f0c", [["a", "c"], ["b"]], True, RUNNING)


def test_a_run_that_was_submitted_keeps_the_record_of_the_submission(store: FolderStore) -> None:
    record_remote(store, "5f0c", FLEET.to_json(), [["a"]], refresh=["train"])
    assert adopt_run(store, "5f0c", FLEET).refresh == ["train"]
    assert load_run(store, "5f0c").lanes == [["a"]]


def test_an_error_is_left_out_once_the_second_attempt_has_succeeded(store: FolderStore) -> None:
    run = adopt_run(store, "5f0c", FLEET)
    for failing in (True, False):
        with pytest.raises(DataError) if failing else nullcontext(), recorded(Context(store), run, "embed"):
            if failing:
                raise DataError("the node is gone")
    assert read_errors(store, "5f0c") == []


def test_the_last_step_ends_a_run_on_a_cluster_and_leaves_a_local_one_to_its_process(store: FolderStore) -> None:
    local = start_run(store, new_run(FLEET.to_json(), [["a"]]))
    record_remote(store, "5f0c", FLEET.to_json(), [["a"]])
    for run_id in ("5f0c", local.id):
        finish_remote(store, load_run(store, run_id), result_of(store, "package", "ba6"))
        assert load_run(store, run_id).state == RUNNING
        finish_remote(store, load_run(store, run_id), result_of(store, "document", "d0c"))
    assert (load_run(store, "5f0c").state, load_run(store, "5f0c").document) == (SUCCEEDED, "d0c")
    assert load_run(store, local.id).state == RUNNING


def test_a_run_that_deploys_keeps_what_it_documented_and_what_it_deployed(store: FolderStore) -> None:
    spec = FLEET.spec.model_copy(update={"deploy": Deploy(automatic=True, namespace="cars")})
    record_remote(store, "5f0c", FLEET.model_copy(update={"spec": spec}).to_json(), [["a"]])
    finish_remote(store, load_run(store, "5f0c"), result_of(store, "document", "d0c"))
    assert load_run(store, "5f0c").state == RUNNING
    finish_remote(store, load_run(store, "5f0c"), result_of(store, "deploy", "de9", document="d0c"))
    run = load_run(store, "5f0c")
    assert (run.state, run.document, run.deployed) == (SUCCEEDED, "d0c", "de9")


def result_of(store: FolderStore, step: str, key: str, **inputs: str) -> Result[dict[str, object]]:
    return Result(step=step, key=key, inputs=inputs, report={}, created_at="", duration_s=0.0, store=store)


def test_a_run_of_another_machine_is_not_taken_for_interrupted(store: FolderStore) -> None:
    run = start_run(store, new_run("{}", [["a"]]))
    record = read_record(store, f"runs/{run.id}/run.json") | {"pid": 2**22 - 7, "host": "another", "machine": None}
    write_record(store, f"runs/{run.id}/run.json", record)
    assert load_run(store, run.id).state == RUNNING


def test_a_run_that_somebody_cancelled_stays_so_whatever_its_pods_come_to(store: FolderStore) -> None:
    record_remote(store, "5f0c", "{}", [["a"]])
    mark_cancelled(store, "5f0c")
    mark_cancelled(store, "nothing like it")
    assert load_run(store, "5f0c").state == CANCELLED


def test_a_bucket_without_runs_names_the_command_for_the_cluster(in_bucket: S3Store, store: FolderStore) -> None:
    with pytest.raises(NotFoundError, match=r"nothing has run on s3://.*Run `coachworks submit` first"):
        latest_run(in_bucket)
    with pytest.raises(NotFoundError, match="Run `coachworks run` first"):
        latest_run(store)
