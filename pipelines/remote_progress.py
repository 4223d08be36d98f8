"""Progress of a run on a cluster: states of KFP's tasks combined with the progress that the steps publish."""

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coachworks.errors import NotFoundError, TransientError
from coachworks.result import Result
from coachworks.results import latest, load
from coachworks.runs import CANCELLED, FAILED, RUNNING, SUCCEEDED, Run, read_errors, read_progress, read_results
from coachworks.steps import CHAIN
from coachworks.store import Store
from pipelines.kubeflow import Kubeflow, RemoteRun, RemoteTask, RunPods, open_run_pods

_STEP_STATES = {"SUCCEEDED": "done", "SKIPPED": "cached", "FAILED": "failed", "CANCELED": "failed"}
_RUN_STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "CANCELED": CANCELLED, "SKIPPED": SUCCEEDED}
_NO_REASON = (
    "Kubeflow Pipelines gives no reason. Its page of the run may show one, and so may `kubectl get workflows` in the "
    "pipelines' namespace."
)
_MAX_SILENCE_S = 300.0  # a restart of KFP, or of a port-forward to it, must not end the command that follows a run


def step_states(store: Store, run: RemoteRun) -> list[dict[str, Any]]:
    """Return the states of a run's steps in the order of their start, each as `StoreProgress` publishes it.

    A step that has not published anything is `waiting` for its pod; one whose result came from KFP's cache is `cached`.
    """
    published = read_progress(store, run.id)
    known = {state["step"] for state in published}
    ended = {task.name: task for task in run.tasks if task.name in CHAIN and task.state in _STEP_STATES}
    for state in published:
        task = ended.get(state["step"])
        if state["state"] == "running" and task is not None and not state["lane"]:  # its pod was killed
            state["state"] = _STEP_STATES[task.state]
    others = [_state_of(task) for task in run.tasks if task.name in CHAIN and task.name not in known and task.state]
    return sorted([*published, *others], key=lambda state: float(state["started_at"]))


def _state_of(task: RemoteTask) -> dict[str, Any]:
    """Return the state of a step that has not published anything."""
    started, ended = _seconds(task.started_at), _seconds(task.ended_at)
    state = _STEP_STATES.get(task.state, "waiting")
    note = {"cached": "unchanged, result reused", "waiting": "waiting for its pod"}.get(state, task.error)
    return {
        "step": task.name,
        "lane": "",
        "state": state,
        "started_at": started or time.time(),
        "updated_at": ended or time.time(),
        "notes": [note] if note else [],
        "task": None,
    }


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def update_record(store: Store, run: Run, remote: RemoteRun) -> Run:
    """Return the record of a run, with its end if KFP reports that it has ended; the end is also stored."""
    if not remote.ended or run.state != RUNNING:
        return run
    state = _RUN_STATES[remote.state]
    document = _document(store, run) if state == SUCCEEDED else None
    return run.ended(store, state, document)


def _document(store: Store, run: Run) -> str | None:
    """Return the key of a run's last result, if its last steps were cached and did not record it.

    `register` always runs; the results that were made from its own are found by their keys.
    """
    keys = [result["key"] for result in read_results(store, run.id) if result["step"] == "register"]
    package = _made_from(store, "package", sorted(keys))
    document = package and _made_from(store, "document", [package.key])
    return document.key if document else None


def _made_from(store: Store, step: str, upstream: list[str]) -> Result[Any] | None:
    """Return the newest result of `step` that was made from the results `upstream`."""
    try:
        newest = load(store, step, latest(store, step))
    except NotFoundError:
        return None
    if _upstream(newest) == upstream:
        return newest
    keys = {key.split("/")[2] for key in store.list(f"results/{step}")}
    results = [result for result in (load(store, step, key) for key in keys) if _upstream(result) == upstream]
    return max(results, key=lambda result: result.created_at, default=None)


def _upstream(result: Result[Any]) -> list[str]:
    keys = result.inputs[str(CHAIN[result.step])]
    return sorted(keys) if isinstance(keys, list) else [keys]


def failures(store: Store, remote: RemoteRun, pods: RunPods | None = None) -> list[Mapping[str, Any]]:
    """Return the errors of a failed run: those that its steps recorded, else Kubernetes' message about a pod.

    Args:
        store: The store to which steps write their errors.
        remote: The run.
        pods: Its pods; None without a kubeconfig.
    """
    recorded = read_errors(store, remote.id)
    if recorded or remote.state != "FAILED":
        return list(recorded)
    failed = sorted((task for task in remote.tasks if task.state == "FAILED"), key=lambda task: task.name not in CHAIN)
    step = next((task.name for task in failed if task.name in CHAIN), "pipeline")
    message = next((task.error for task in failed if task.error), "") or remote.error
    message = message or (pods.refusal(remote.id) if pods else "") or _NO_REASON
    return [{"step": step, "lane": "", "type": "PodFailed", "message": message}]


class RunMonitor:
    """A run on the cluster, read again and again; outages of the servers shorter than some minutes are bridged.

    Args:
        kubeflow: Kubeflow Pipelines.
        store: The store to which its steps publish their progress.
        run_id: Id of the run.
    """

    def __init__(self, kubeflow: Kubeflow, store: Store, run_id: str) -> None:
        self._kubeflow, self._store, self._run_id = kubeflow, store, run_id
        self._run = kubeflow.run(run_id)
        self._pods = open_run_pods(kubeflow.namespace or "kubeflow")
        self._states: list[dict[str, Any]] = []
        self._silent_since: float | None = None

    def running(self) -> bool:
        """Read the run and return whether it is still running.

        Raises:
            TransientError: KFP has not answered for minutes.
        """
        try:
            self._run = self._kubeflow.run(self._run_id)
            self._silent_since = None
        except TransientError:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > _MAX_SILENCE_S:
                raise
        return not self._run.ended

    def states(self) -> list[dict[str, Any]]:
        """Return the states of its steps; see `step_states`."""
        with contextlib.suppress(TransientError):
            self._states = step_states(self._store, self._run)
        waiting = [state for state in self._states if state["state"] == "waiting"]
        if waiting and (problem := self._pod_problem()):
            waiting[-1]["notes"] = [problem]
        return self._states

    def update_record(self, run: Run) -> Run:
        """Return the record of the run; see `update_record`."""
        return update_record(self._store, run, self._run)

    def failures(self) -> list[Mapping[str, Any]]:
        """Return the errors of the run; see `failures`."""
        return failures(self._store, self._run, self._pods)

    def _pod_problem(self) -> str:
        """Return what keeps a pod of the run from starting, as far as the kubeconfig gives the right to see it."""
        if self._pods is None:
            return ""
        with contextlib.suppress(TransientError):
            problem = self._pods.problem(self._run_id)
            return f"{problem.reason}: {problem.message}" if problem else ""
        return ""
