"""How a run on a cluster goes: what KFP says of its tasks and what its steps say of themselves, put together."""

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coachworks.errors import NotFoundError, TransientError
from coachworks.results import Result, latest, load
from coachworks.runs import CANCELLED, FAILED, RUNNING, SUCCEEDED, Run, read_errors, read_progress, read_results
from coachworks.steps import CHAIN
from coachworks.store import Store
from pipelines.kubeflow import Kubeflow, RemoteRun, RemoteTask, RunPods, open_run_pods

_STATES = {"SUCCEEDED": "done", "SKIPPED": "cached", "FAILED": "failed", "CANCELED": "failed"}
_NO_REASON = (
    "Kubeflow Pipelines gives no reason. Its page of the run may show one, and so may `kubectl get workflows` in the "
    "pipelines' namespace."
)
_PATIENCE_S = 300.0  # how long KFP may be silent before a follower gives up
_OVER = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "CANCELED": CANCELLED, "SKIPPED": SUCCEEDED}


def states(store: Store, run: RemoteRun) -> list[dict[str, Any]]:
    """The run's steps, in the order they started, each as `StoreProgress` publishes it.

    A step that has not spoken yet is `waiting` for its pod; one whose result KFP had is `cached`.
    """
    spoken = read_progress(store, run.id)
    known = {state["step"] for state in spoken}
    over = {task.name: task for task in run.tasks if task.name in CHAIN and task.state in _STATES}
    for state in spoken:
        task = over.get(state["step"])
        if state["state"] == "running" and task is not None and not state["lane"]:  # killed before it could say so
            state["state"] = _STATES[task.state]
    silent = [_silent(task) for task in run.tasks if task.name in CHAIN and task.name not in known and task.state]
    return sorted([*spoken, *silent], key=lambda state: float(state["started_at"]))


def _silent(task: RemoteTask) -> dict[str, Any]:
    started, ended = _seconds(task.started_at), _seconds(task.ended_at)
    state = _STATES.get(task.state, "waiting")
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


def settle(store: Store, run: Run, remote: RemoteRun) -> Run:
    """The record of a run, brought up to what KFP says of it; written where KFP says it is over."""
    if not remote.ended or run.state != RUNNING:
        return run
    state = _OVER[remote.state]
    document = _document(store, run) if state == SUCCEEDED else None
    return run.ended(store, state, document)


def _document(store: Store, run: Run) -> str | None:
    """Key of the result that the run ended with, where its last steps were cached and said nothing.

    `register` always runs; what was made from its results is found by their keys.
    """
    keys = [result["key"] for result in read_results(store, run.id) if result["step"] == "register"]
    package = _made_from(store, "package", sorted(keys))
    document = package and _made_from(store, "document", [package.key])
    return document.key if document else None


def _made_from(store: Store, step: str, upstream: list[str]) -> Result | None:
    """The newest result of `step` that continues from these keys."""
    try:
        newest = load(store, step, latest(store, step))
    except NotFoundError:
        return None
    if _upstream(newest) == upstream:
        return newest
    keys = {key.split("/")[2] for key in store.list(f"results/{step}")}
    found = [result for result in (load(store, step, key) for key in keys) if _upstream(result) == upstream]
    return max(found, key=lambda result: result.created_at, default=None)


def _upstream(result: Result) -> list[str]:
    keys = result.inputs[str(CHAIN[result.step])]
    return sorted(keys) if isinstance(keys, list) else [keys]


def failures(store: Store, remote: RemoteRun, pods: RunPods | None = None) -> list[Mapping[str, Any]]:
    """Why the run failed: the steps' own words, else what Kubernetes says of pods that never spoke.

    Args:
        store: Where steps leave their words.
        remote: The run.
        pods: Its pods; None without a kubeconfig.
    """
    spoken = read_errors(store, remote.id)
    if spoken or remote.state != "FAILED":
        return list(spoken)
    failed = sorted((task for task in remote.tasks if task.state == "FAILED"), key=lambda task: task.name not in CHAIN)
    step = next((task.name for task in failed if task.name in CHAIN), "pipeline")
    told = next((task.error for task in failed if task.error), "") or remote.error
    told = told or (pods.refusal(remote.id) if pods else "") or _NO_REASON
    return [{"step": step, "lane": "", "type": "PodFailed", "message": told}]


class Watch:
    """A run on the cluster, looked at again and again; what cannot be asked for a while is asked again.

    Args:
        kubeflow: Where it runs.
        store: Where its steps publish their progress.
        run_id: Its id.
    """

    def __init__(self, kubeflow: Kubeflow, store: Store, run_id: str) -> None:
        self._kubeflow, self._store, self._run_id = kubeflow, store, run_id
        self._seen = kubeflow.run(run_id)
        self._pods = open_run_pods(kubeflow.namespace or "kubeflow")
        self._states: list[dict[str, Any]] = []
        self._silent_since: float | None = None

    def running(self) -> bool:
        """Whether it goes on.

        Raises:
            TransientError: KFP has not answered for minutes.
        """
        try:
            self._seen = self._kubeflow.run(self._run_id)
            self._silent_since = None
        except TransientError:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > _PATIENCE_S:
                raise
        return not self._seen.ended

    def states(self) -> list[dict[str, Any]]:
        """Its steps, as `states` gives them."""
        with contextlib.suppress(TransientError):
            self._states = states(self._store, self._seen)
        waiting = [state for state in self._states if state["state"] == "waiting"]
        if waiting and (hindrance := self._hindrance()):
            waiting[-1]["notes"] = [hindrance]
        return self._states

    def settled(self, run: Run) -> Run:
        """Its record, brought up to date."""
        return settle(self._store, run, self._seen)

    def failures(self) -> list[Mapping[str, Any]]:
        """Why it failed."""
        return failures(self._store, self._seen, self._pods)

    def _hindrance(self) -> str:
        """Why a pod of the run does not start, where Kubernetes lets us see it."""
        if self._pods is None:
            return ""
        problem = self._pods.problem(self._run_id)
        return f"{problem.reason}: {problem.message}" if problem else ""
