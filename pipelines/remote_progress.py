"""Progress of a run on a cluster: states of KFP's tasks combined with the progress that the steps publish."""

import contextlib
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coachworks.errors import NotFoundError, TransientError
from coachworks.fleet.cluster import Cluster
from coachworks.kubernetes_api.pod_problems import IMAGE_REASONS
from coachworks.progress import WAITING_FOR_POD
from coachworks.result import Result
from coachworks.results import latest, load
from coachworks.runs import (
    CANCELLED,
    FAILED,
    POD_STUCK,
    RUNNING,
    SUCCEEDED,
    Run,
    read_errors,
    read_progress,
    read_results,
)
from coachworks.steps import CHAIN
from coachworks.store import Store, write_record
from pipelines.kubeflow import Kubeflow, RemoteRun, RemoteTask, RunPods, StuckPod, open_run_pods
from pipelines.kubeflow.pod_logs import last_error, last_lines, read_log
from pipelines.kubeflow.run_pods import unseen_pod
from pipelines.pod_ways_out import describe, with_source_of_variables

_STEP_STATES = {"SUCCEEDED": "done", "SKIPPED": "cached", "FAILED": "failed", "CANCELED": "failed"}
_RUN_STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "CANCELED": CANCELLED, "SKIPPED": SUCCEEDED}
_NO_REASON = (
    "Kubeflow Pipelines gives no reason. Its page of the run may show one, and so may `kubectl get workflows` in the "
    "pipelines' namespace."
)
_NO_LOG = (
    "The log of its pod cannot be read, from Kubernetes or through Kubeflow Pipelines. Logs outlive their pods if Argo "
    "archives them (`archiveLogs` of its controller)."
)
_EXIT_STATUS = re.compile(r"(Error )?\(exit code \d+\)")  # of Argo: it says nothing about the cause
PERMANENT_LIMIT_S = 120.0  # waiting does not help; somebody may be mending it
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
    note = {"cached": "unchanged, result reused", "waiting": WAITING_FOR_POD}.get(state, task.error)
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


def failures(
    store: Store, remote: RemoteRun, pods: RunPods | None = None, kubeflow: Kubeflow | None = None
) -> list[Mapping[str, Any]]:
    """Return the errors of a failed run: those that its steps recorded, else the error in the log of the failed step.

    A step that cannot reach the store, for example with a wrong key, leaves its error only in its pod's log. It is
    recorded in the store when it is read here: pods and their logs do not last. Without a log it is Kubernetes'
    message about the pod.

    Args:
        store: The store to which steps write their errors.
        remote: The run.
        pods: Its pods; None without a kubeconfig.
        kubeflow: Kubeflow Pipelines; None: no logs are read.
    """
    recorded = read_errors(store, remote.id)
    if recorded or remote.state != "FAILED":
        return list(recorded)
    failed = sorted((task for task in remote.tasks if task.state == "FAILED"), key=lambda task: task.name not in CHAIN)
    step = next((task.name for task in failed if task.name in CHAIN), "pipeline")
    message = next((task.error for task in failed if task.error), "") or remote.error
    message = message or (pods.refusal(remote.id) if pods else "") or _NO_REASON
    error = {"step": step, "lane": "", "type": "PodFailed", "message": message}
    log = read_log(kubeflow, pods, remote, {step}, "FAILED") if kubeflow is not None and step in CHAIN else ""
    if (raised := last_error(log)) is not None:
        error |= {"type": raised[0], "message": with_source_of_variables(raised[1] or raised[0])}
    elif lines := last_lines(log):
        error["message"] = f"{message.rstrip('.')}. Its log ends: {lines}"
    elif kubeflow is not None and _EXIT_STATUS.fullmatch(message):
        error["message"] = f"{message}. {_NO_LOG}"
    if log:
        write_record(store, f"runs/{remote.id}/errors/{step}.json", {**error, "traceback": ""})
    return [error]


class RunMonitor:
    """A run on the cluster, read again and again; outages of the servers shorter than some minutes are bridged.

    Args:
        kubeflow: Kubeflow Pipelines.
        store: The store to which its steps publish their progress.
        run_id: Id of the run.
        cluster: The fleet file's `spec.cluster`, for ways out.
        pod_limit_s: Longest time in seconds to wait for a pod that has no node or no room in its namespace's quota.
            Where waiting does not help, as with an image that cannot be pulled, it is at most PERMANENT_LIMIT_S.

    Attributes:
        gave_up: Whether a pod has not started within the limit.
    """

    def __init__(
        self,
        kubeflow: Kubeflow,
        store: Store,
        run_id: str,
        cluster: Cluster | None = None,
        *,
        pod_limit_s: float = math.inf,
    ) -> None:
        self._kubeflow, self._store, self._run_id = kubeflow, store, run_id
        self._cluster, self._pod_limit_s = cluster or Cluster(), pod_limit_s
        self._run = kubeflow.run(run_id)
        self._pods = open_run_pods(kubeflow.namespace or "kubeflow")
        self._states: list[dict[str, Any]] = []
        self._silent_since: float | None = None
        self._stuck: StuckPod | None = None
        self._stuck_since: dict[str, float] = {}
        self._image_notes: dict[str, str] = {}
        self.gave_up = False

    def running(self) -> bool:
        """Read the run and return whether it is still running and no pod is stuck for longer than the limit.

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
        with contextlib.suppress(TransientError):
            self._states = step_states(self._store, self._run)
        self._stuck = None if self._run.ended else self._find_stuck()
        self.gave_up = self._stuck is not None and self._is_over_limit(self._stuck)
        return not self._run.ended and not self.gave_up

    def _is_over_limit(self, stuck: StuckPod) -> bool:
        """Return whether this command has seen the pod stuck for too long; after a change a node may try again late."""
        limit_s = min(self._pod_limit_s, PERMANENT_LIMIT_S) if stuck.problem.permanent else self._pod_limit_s
        return time.monotonic() - self._stuck_since.setdefault(stuck.name, time.monotonic()) >= limit_s

    def states(self) -> list[dict[str, Any]]:
        """Return the states of its steps at the last reading; a pod that does not start is a note of its step."""
        if self._stuck is None:
            return self._states
        problem = self._note(self._stuck)
        waiting = [state for state in self._states if state["state"] == "waiting"]
        own = [state for state in waiting if state["step"] == self._stuck.step] or waiting[-1:]
        if own:
            own[-1]["notes"] = [problem]
            return self._states
        return [*self._states, _waiting_state(self._stuck, problem)]

    def _note(self, stuck: StuckPod) -> str:
        """Return the note of a pod that does not start; one and the same while its image cannot be pulled.

        Kubernetes reports ErrImagePull and ImagePullBackOff by turns.
        """
        note = f"{stuck.problem.reason}: {stuck.problem.message}"
        return self._image_notes.setdefault(stuck.name, note) if stuck.problem.reason in IMAGE_REASONS else note

    def problem(self) -> Mapping[str, Any] | None:
        """Return the error of a run that waits for a pod that does not start; None if there is no such pod."""
        if self._stuck is None:
            return None
        namespace = self._kubeflow.namespace or "kubeflow"
        step = self._stuck.step or next((state["step"] for state in self._states if state["state"] == "waiting"), "")
        message = describe(self._stuck, self._cluster, namespace)
        return {"step": step or "pipeline", "lane": "", "type": POD_STUCK, "message": message}

    def update_record(self, run: Run) -> Run:
        """Return the record of the run; see `update_record`."""
        return update_record(self._store, run, self._run)

    def failures(self) -> list[Mapping[str, Any]]:
        """Return the errors of the run; see `failures`."""
        return failures(self._store, self._run, self._pods, self._kubeflow)

    def errors(self, record: Run) -> list[Mapping[str, Any]] | None:
        """Return the errors of a run with an updated record: of its steps, or of a pod that does not start."""
        if record.state == FAILED:
            return self.failures()
        problem = self.problem()
        return [problem] if problem else None

    def _find_stuck(self) -> StuckPod | None:
        """Return a pod that does not start; without the right to see pods, that of a step that waits for too long."""
        with contextlib.suppress(TransientError):
            if self._pods is not None and self._pods.readable:
                return self._pods.stuck(self._run_id)
            waiting = [state for state in self._states if state["state"] == "waiting"]
            pods = [unseen_pod(state["step"], time.time() - state["started_at"]) for state in waiting]
            return next((pod for pod in pods if self._is_over_limit(pod)), None)
        return self._stuck


def _waiting_state(stuck: StuckPod, problem: str) -> dict[str, Any]:
    """Return the state to show for a pod whose step KFP does not list yet, such as a driver."""
    now = time.time()
    return {
        "step": stuck.step or "pipeline",
        "lane": "",
        "state": "waiting",
        "started_at": now - stuck.seconds,
        "updated_at": now,
        "notes": [problem],
        "task": None,
    }
