"""What Kubeflow Pipelines says of runs, tasks and schedules, in our words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


@dataclass(frozen=True, kw_only=True)
class RemoteTask:
    """One task of a run, as Kubeflow Pipelines sees it.

    Attributes:
        name: The step, or `for-loop…`, `lanes`: what KFP made of the composition.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `SKIPPED` (its result was cached), `FAILED`, `CANCELED`; empty while
            its turn has not come.
        started_at: When, or None.
        ended_at: When, or None.
        error: What Kubernetes says went wrong; empty where nothing did.
        id: Id of the task.
        parent: Id of the task that it is part of, or None.
        children: What the workflow calls what comes after it: for a step its pod.
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
    """A run on the cluster.

    Attributes:
        id: Its id.
        name: What the dashboard calls it.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELING`, `CANCELED`, `PAUSED`.
        created_at: When it was made.
        finished_at: When it ended, or None.
        error: What KFP says of a failure; empty where nothing failed.
        schedule: Id of the recurring run that made it, or None.
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
        """Whether nothing more happens to it."""
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring run.

    Attributes:
        id: Its id.
        name: What the dashboard calls it.
        cron: When, six fields with seconds first.
        enabled: Whether it is.
    """

    id: str
    name: str
    cron: str
    enabled: bool


def run_of(found: Any) -> RemoteRun:
    """A run, from what the client gives."""
    details = found.run_details.task_details if found.run_details else None
    return RemoteRun(
        id=str(found.run_id),
        name=str(found.display_name),
        state=str(found.state or "PENDING"),
        created_at=found.created_at,
        finished_at=found.finished_at if found.finished_at and found.finished_at.year > 1970 else None,
        error=str(found.error.message) if found.error and found.error.message else "",
        schedule=found.recurring_run_id or None,
        tasks=tuple(task_of(task) for task in details or ()),
    )


def task_of(found: Any) -> RemoteTask:
    """A task, from what the client gives."""
    return RemoteTask(
        name=str(found.display_name),
        state=str(found.state or ""),
        started_at=found.start_time,
        ended_at=found.end_time if found.end_time and found.end_time.year > 1970 else None,
        error=str(found.error.message) if found.error and found.error.message else "",
        id=str(found.task_id),
        parent=found.parent_task_id or None,
        children=tuple(child.pod_name for child in found.child_tasks or () if child.pod_name),
    )


def schedule_of(found: Any) -> Schedule:
    """A recurring run, from what the client gives."""
    trigger = found.trigger.cron_schedule if found.trigger else None
    return Schedule(
        id=str(found.recurring_run_id),
        name=str(found.display_name),
        cron=str(trigger.cron) if trigger else "",
        enabled=str(found.status or found.mode or "").startswith("ENABLE"),
    )
