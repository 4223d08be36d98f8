"""Records of runs, tasks and recurring runs, read from the responses of Kubeflow Pipelines."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


@dataclass(frozen=True, kw_only=True)
class RemoteTask:
    """Task of a run.

    Attributes:
        name: Name of the step, or of KFP's own nodes: `for-loop…`, `lanes`.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `SKIPPED` (its result was cached), `FAILED`, `CANCELED`; empty while
            it has not been scheduled.
        started_at: Start, or None.
        ended_at: End, or None.
        error: Kubernetes' message about a failure; empty without one.
        id: Id of the task.
        parent: Id of the task that contains it, or None.
        children: Names of the workflow nodes that follow it: for a step, its pod.
    """

    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str
    id: str
    parent: str | None
    children: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RemoteRun:
    """Run on the cluster.

    Attributes:
        id: Its id.
        name: Its name in the dashboard.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELING`, `CANCELED`, `PAUSED`.
        created_at: Its creation, or None.
        finished_at: Its end, or None.
        error: KFP's message about a failure; empty without one.
        schedule: Id of the recurring run that created it, or None.
        tasks: Its tasks; empty in a list of runs.
    """

    id: str
    name: str
    state: str
    created_at: datetime | None
    finished_at: datetime | None
    error: str = ""
    schedule: str | None = None
    tasks: tuple[RemoteTask, ...] = ()

    @property
    def ended(self) -> bool:
        """True if the run has ended."""
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Recurring run.

    Attributes:
        id: Its id.
        name: Its name in the dashboard.
        cron: Cron expression of six fields, seconds first.
        enabled: Whether it starts runs.
    """

    id: str
    name: str
    cron: str
    enabled: bool


def run_of(record: Any) -> RemoteRun:
    """Return the record of a run in a response."""
    details = record.run_details.task_details if record.run_details else None
    return RemoteRun(
        id=str(record.run_id),
        name=str(record.display_name),
        state=str(record.state or "PENDING"),
        created_at=record.created_at,
        finished_at=record.finished_at if record.finished_at and record.finished_at.year > 1970 else None,
        error=str(record.error.message) if record.error and record.error.message else "",
        schedule=record.recurring_run_id or None,
        tasks=tuple(task_of(task) for task in details or ()),
    )


def task_of(record: Any) -> RemoteTask:
    """Return the record of a task in a response."""
    return RemoteTask(
        name=str(record.display_name),
        state=str(record.state or ""),
        started_at=record.start_time,
        ended_at=record.end_time if record.end_time and record.end_time.year > 1970 else None,
        error=str(record.error.message) if record.error and record.error.message else "",
        id=str(record.task_id),
        parent=record.parent_task_id or None,
        children=tuple(child.pod_name for child in record.child_tasks or () if child.pod_name),
    )


def schedule_of(record: Any) -> Schedule:
    """Return the record of a recurring run in a response."""
    trigger = record.trigger.cron_schedule if record.trigger else None
    return Schedule(
        id=str(record.recurring_run_id),
        name=str(record.display_name),
        cron=str(trigger.cron) if trigger else "",
        enabled=str(record.status or record.mode or "").startswith("ENABLE"),
    )
