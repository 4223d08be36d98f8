"""Progress of a run on a cluster: states of KFP's tasks and the progress that the steps publish."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from coachworks.context import Context
from coachworks.progress import StoreProgress
from coachworks.results import produce
from coachworks.runs import CANCELLED, FAILED, RUNNING, SUCCEEDED, load_run, record_remote, record_result
from coachworks.store import FolderStore
from pipelines.kubeflow import RemoteRun, RemoteTask
from pipelines.remote_progress import failures, step_states, update_record

START = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def task(name: str, state: str, after_s: int = 0, error: str = "") -> RemoteTask:
    began = START + timedelta(seconds=after_s)
    ended = began + timedelta(seconds=5) if state in {"SUCCEEDED", "FAILED", "SKIPPED"} else None
    return RemoteTask(name=name, state=state, started_at=began, ended_at=ended, error=error, id=name, parent=None)


def run_of(state: str, *tasks: RemoteTask, error: str = "") -> RemoteRun:
    return RemoteRun(
        id="5f0c", name="cars", state=state, created_at=START, finished_at=None, error=error, tasks=tuple(tasks)
    )


def test_published_progress_is_completed_by_kfp_s_tasks(store: FolderStore) -> None:
    record_remote(store, "5f0c", "{}", [["a"]])
    progress = StoreProgress(store, "runs/5f0c/progress/ingest.json", step="ingest")
    progress.note("3 files set aside")
    progress.close("done")
    run = run_of(
        "RUNNING",
        task("root", "RUNNING"),
        task("ingest", "SUCCEEDED"),
        task("split", "SKIPPED", 10),
        task("validate", "RUNNING", 20),
        task("validate-driver", "SUCCEEDED", 18),
        task("augment", ""),
    )
    seen = {state["step"]: (state["state"], state["notes"]) for state in step_states(store, run)}
    assert seen == {
        "ingest": ("done", ["3 files set aside"]),
        "split": ("cached", ["unchanged, result reused"]),
        "validate": ("waiting", ["waiting for its pod"]),
    }


def test_a_step_whose_pod_was_killed_has_failed(store: FolderStore) -> None:
    record_remote(store, "5f0c", "{}", [["a"]])
    StoreProgress(store, "runs/5f0c/progress/embed.json", step="embed")
    (state,) = step_states(store, run_of("FAILED", task("embed", "FAILED", error="pod deleted")))
    assert state["state"] == "failed"


def test_errors_recorded_by_steps_come_first(store: FolderStore) -> None:
    record_remote(store, "5f0c", "{}", [["a"]])
    error = {"step": "validate", "lane": "", "type": "DataError", "message": "no photo has a label", "traceback": ""}
    store.write("runs/5f0c/errors/validate.json", json.dumps(error).encode())
    run = run_of("FAILED", task("validate", "FAILED", error="exit status 1"))
    assert [failure["message"] for failure in failures(store, run)] == ["no photo has a label"]


def test_without_a_recorded_error_kubernetes_message_is_reported(store: FolderStore) -> None:
    record_remote(store, "5f0c", "{}", [["a"]])
    run = run_of("FAILED", task("root", "FAILED", error="child failed"), task("embed", "FAILED", error="ErrImagePull"))
    (failure,) = failures(store, run)
    assert (failure["step"], failure["message"]) == ("embed", "ErrImagePull")
    assert failures(store, run_of("FAILED", error="quota"))[0]["message"] == "quota"
    assert failures(store, run_of("SUCCEEDED")) == []


@pytest.mark.parametrize(("remote", "state"), [("FAILED", FAILED), ("CANCELED", CANCELLED), ("RUNNING", RUNNING)])
def test_the_record_is_updated_when_the_run_has_ended(store: FolderStore, remote: str, state: str) -> None:
    run = record_remote(store, "5f0c", "{}", [["a"]])
    assert update_record(store, run, run_of(remote)).state == state
    assert load_run(store, "5f0c").state == state


def test_the_document_of_a_run_whose_last_steps_were_cached_is_found_through_register(store: FolderStore) -> None:
    def key_of(step: str, **inputs: object) -> str:
        return produce(step, inputs, lambda folder: {}, context=Context(store), code="1").key

    expected = key_of("document", package=key_of("package", register=["r1", "r2"]))
    key_of("document", package=key_of("package", register=["r3"]))  # a later run of something else
    run = record_remote(store, "5f0c", "{}", [["a"], ["b"]])
    record_result(store, "5f0c", "register", "b", "r2")
    record_result(store, "5f0c", "register", "a", "r1")
    updated = update_record(store, run, run_of("SUCCEEDED"))
    assert (updated.state, updated.document) == (SUCCEEDED, expected)
