"""Logs of a run's pods, and the error with which a log ends."""

import contextlib
import re
from collections.abc import Collection, Iterator

from coachworks.errors import CoachworksError
from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.records import RemoteRun
from pipelines.kubeflow.run_pods import RunPods

_EXECUTOR = re.compile(r"executor(\(\d+\))?")  # KFP's name of the node beside a task that stands for its pod
# Argo's pod of node 17 of a workflow is workflow-system-container-impl-17, with a prefix if the task has retries.
_TEMPLATES = ("retry-system-container-impl-", "system-container-impl-", "")
_TRACEBACK = "Traceback (most recent call last):"
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?")
# Lines that KFP's launcher and Argo's executor write around the output of a step: klog's, and logfmt's.
_AROUND = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d|^time=\S+ level=|^\{\"(time|level)\"|^Error: exit status")


def read_log(
    kubeflow: Kubeflow, pods: RunPods | None, run: RemoteRun, tasks: Collection[str], state: str | None = None
) -> str:
    """Return the log of a task's pod, which Kubeflow Pipelines may have archived; else from Kubernetes, else empty.

    Args:
        kubeflow: Kubeflow Pipelines.
        pods: Pods of the run; None without a kubeconfig.
        run: The run.
        tasks: Names of the tasks.
        state: State of the tasks and pods to read, such as `FAILED`; None: every state.
    """
    for pod in _pod_names(run, tasks, state):
        with contextlib.suppress(CoachworksError):
            if log := kubeflow.log(run.id, pod):
                return log
    if pods is None:
        return ""
    return pods.logs(run.id, **({"fieldSelector": f"status.phase={state.capitalize()}"} if state else {}))


def _pod_names(run: RemoteRun, tasks: Collection[str], state: str | None) -> Iterator[str]:
    """Return possible names of the pods of tasks, those of the last attempts first."""
    for task in reversed(run.tasks):
        if (task.name in tasks or _EXECUTOR.fullmatch(task.name)) and state in {None, task.state}:
            for node in reversed(task.children):
                workflow, _, number = node.rpartition("-")
                yield from (f"{workflow}-{template}{number}" for template in _TEMPLATES)


def last_error(log: str) -> tuple[str, str] | None:
    r"""Return the exception with which a log ends: the last name of its class, and its message.

    >>> last_error("Traceback (most recent call last):\n  File ...\ncoachworks.errors.DataError: no photo")
    ('DataError', 'no photo')
    """
    if _TRACEBACK not in log:
        return None
    lines = iter(log.rpartition(_TRACEBACK)[2].splitlines()[1:])
    for line in lines:
        match = _RAISED.fullmatch(line)
        if match is not None:
            rest = []
            for further in lines:
                if not further.strip() or _AROUND.search(further):
                    break
                rest.append(further)
            message = "\n".join([match["message"] or "", *rest]).strip()
            return match["type"].rpartition(".")[2], message
    return None


def last_lines(log: str, count: int = 3) -> str:
    """Return the last lines of a log that the step itself wrote, in one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not _AROUND.search(line)]
    return " / ".join(lines[-count:])
