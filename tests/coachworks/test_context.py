import json
import os

import pytest

from coachworks.context import ALONE, RUN_VARIABLE, step_context
from coachworks.errors import DataError
from coachworks.runs import INTERRUPTED, RUNNING, latest_run, load_run, read_errors, read_progress, start_run
from coachworks.store import FolderStore


def test_outside_a_run_a_step_reports_to_nobody(store: FolderStore) -> None:
    with step_context(store, "split", environ={}) as context:
        assert context is ALONE


def test_a_step_of_a_run_publishes_its_progress(store: FolderStore) -> None:
    run = start_run(store, "{}", [["a"]], refresh=["train"])
    with step_context(store, "train", lane="a", environ={RUN_VARIABLE: run.id}) as context:
        assert context.refresh == {"train"}
        with context.progress.task("fit", total=4, unit="skills") as task:
            task.advance(3)
            (state,) = read_progress(store, run.id)
            assert state["task"]["total"] == 4
        context.progress.note("hello")
    (state,) = read_progress(store, run.id)
    assert (state["step"], state["lane"], state["state"], state["notes"]) == ("train", "a", "done", ["hello"])


def test_a_failing_step_leaves_its_own_message_in_the_run(store: FolderStore) -> None:
    run = start_run(store, "{}", [["a"]])
    with (
        pytest.raises(DataError),
        step_context(store, "split", environ={RUN_VARIABLE: run.id}),
    ):
        raise DataError("no photo has a label")
    (error,) = read_errors(store, run.id)
    assert error["message"] == "no photo has a label"
    assert "Traceback" in error["traceback"]
    assert read_progress(store, run.id)[0]["state"] == "failed"


def test_a_run_whose_process_is_gone_was_interrupted(store: FolderStore) -> None:
    run = start_run(store, "{}", [["a"]])
    assert load_run(store, run.id).state == RUNNING
    record = json.loads(store.read(f"runs/{run.id}/run.json")) | {"pid": 2**22 - 7}
    store.write(f"runs/{run.id}/run.json", json.dumps(record).encode())
    assert latest_run(store).state == INTERRUPTED
    assert os.getpid() == run.pid
