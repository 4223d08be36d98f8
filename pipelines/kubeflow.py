"""Kubeflow Pipelines, as coachworks uses it: every call of its client is made here, and every error translated here."""

import contextlib
import io
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.fleet.cluster import Cluster

if TYPE_CHECKING:
    from kfp import Client

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"
TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 — the name of kfp's variable for a file
ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
_WAY_OUT = (
    f"Set {ENDPOINT_VARIABLE} to the address of its API (`kubectl -n kubeflow port-forward svc/ml-pipeline 8888` gives "
    "http://localhost:8888), or let KUBECONFIG name a cluster that runs it."
)


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


class Kubeflow:
    """The Kubeflow Pipelines that a fleet runs on."""

    def __init__(self, client: "Client", namespace: str | None) -> None:
        self._client, self._namespace = client, namespace

    @property
    def dashboard(self) -> str:
        """Address of its dashboard, as this machine sees it."""
        return str(self._client._get_url_prefix()).rstrip("/")

    @property
    def host(self) -> str:
        """Address of its API."""
        return str(self._client._existing_config.host)

    def run_page(self, run_id: str, dashboard: str | None = None) -> str:
        """Address of a run's page in the dashboard."""
        return f"{(dashboard or self.dashboard).rstrip('/')}/#/runs/details/{run_id}"

    def healthy(self) -> None:
        """Ask for a sign of life.

        Raises:
            TransientError: it does not answer.
        """
        with _translated(self.host):
            self._client._healthz_api.healthz_service_get_healthz(_request_timeout=10)

    @property
    def namespace(self) -> str | None:
        """Namespace of the runs, or None where the server has but one."""
        return self._namespace

    def version(self) -> str:
        """What its server calls its release; empty where it does not say."""
        with _translated(self.host):
            answer = self._client._healthz_api.healthz_service_get_healthz(_preload_content=False, _request_timeout=10)
            told = str(json.loads(answer.data).get("tag_name") or "")
        return "" if told == "unknown" else told

    def look(self) -> None:
        """List what is there, to see whether that is permitted.

        Raises:
            InvalidConfigError: it is not.
        """
        with _translated(self.host):
            self._client.list_experiments(page_size=1, namespace=self._namespace)

    def start_unnamed(
        self, experiment_id: str, name: str, package: Path, parameters: Mapping[str, Any], service_account: str | None
    ) -> RemoteRun:
        """Start a run of a compiled pipeline that is not kept among the pipelines."""
        with _translated(self.host):
            started = self._client.create_run_from_pipeline_package(
                str(package), dict(parameters), name, experiment_id=experiment_id, service_account=service_account
            )
        return _run(started.run_info)

    def log(self, run_id: str, pod: str) -> str:
        """What a pod of a run has printed."""
        client = self._client._run_api.api_client
        with _translated(self.host):
            answer = client.call_api(
                "/apis/v1alpha1/runs/{run}/nodes/{node}/log",
                "GET",
                path_params={"run": run_id, "node": pod},
                auth_settings=["Bearer"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=30,
            )
        return bytes(answer.data).decode("utf-8", "replace")

    def forget(self, run_id: str, experiment_id: str) -> None:
        """Remove a run with all its pods, and its experiment where that holds nothing else."""
        with _translated(self.host):
            self._client.delete_run(run_id)
            if not self._client.list_runs(experiment_id=experiment_id, page_size=1, namespace=self._namespace).runs:
                self._client.delete_experiment(experiment_id)

    def upload(self, package: Path, name: str, version: str, description: str) -> tuple[str, str]:
        """The ids of a pipeline and of its version called `version`; uploaded where they are not there yet.

        Raises:
            CoachworksError: the server refuses the pipeline.
        """
        with _translated(self.host):
            pipeline_id = self._client.get_pipeline_id(name)
            if pipeline_id is None:
                made = self._client.upload_pipeline(
                    str(package), pipeline_name=name, description=description, namespace=self._namespace
                )
                pipeline_id = str(made.pipeline_id)
            for known in self._versions(pipeline_id):
                if known.display_name == version:
                    return pipeline_id, str(known.pipeline_version_id)
            uploaded = self._client.upload_pipeline_version(
                str(package), pipeline_version_name=version, pipeline_id=pipeline_id, description=description
            )
            return pipeline_id, str(uploaded.pipeline_version_id)

    def _versions(self, pipeline_id: str) -> Iterator[Any]:
        token = ""
        while True:
            page = self._client.list_pipeline_versions(
                pipeline_id, page_token=token, page_size=100, sort_by="created_at desc"
            )
            yield from page.pipeline_versions or ()
            token = page.next_page_token or ""
            if not token:
                return

    def experiment(self, name: str) -> str:
        """Id of the experiment `name`, made where it is not there yet."""
        with _translated(self.host):
            return str(self._client.create_experiment(name, namespace=self._namespace).experiment_id)

    def start(
        self,
        experiment_id: str,
        name: str,
        version: tuple[str, str],
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> RemoteRun:
        """Start a run of a pipeline's version (its ids, as `upload` gives them)."""
        with _translated(self.host):
            started = self._client.run_pipeline(
                experiment_id,
                name,
                pipeline_id=version[0],
                version_id=version[1],
                params=dict(parameters),
                service_account=service_account,
            )
        return _run(started)

    def schedule(
        self,
        experiment_id: str,
        name: str,
        version: tuple[str, str],
        parameters: Mapping[str, Any],
        service_account: str | None,
        cron: str,
    ) -> Schedule:
        """Make a recurring run, in place of one of the same name: one run at a time, nothing caught up."""
        fields = cron.split()
        six = cron if len(fields) == 6 else f"0 {' '.join(fields)}"  # KFP's first field is the second
        before = [known.id for known in self.schedules(experiment_id) if known.name == name]
        with _translated(self.host):
            made = self._client.create_recurring_run(
                experiment_id,
                name,
                cron_expression=six,
                max_concurrency=1,
                no_catchup=True,
                params=dict(parameters),
                pipeline_id=version[0],
                version_id=version[1],
                service_account=service_account,
            )
            for old in before:
                self._client.delete_recurring_run(old)
        return _schedule(made)

    def schedules(self, experiment_id: str) -> list[Schedule]:
        """The recurring runs of an experiment."""
        with _translated(self.host):
            page = self._client.list_recurring_runs(experiment_id=experiment_id, page_size=100)
        return [_schedule(found) for found in page.recurring_runs or ()]

    def runs(self, experiment_id: str, limit: int) -> list[RemoteRun]:
        """The newest runs of an experiment, newest first."""
        with _translated(self.host):
            page = self._client.list_runs(
                experiment_id=experiment_id, page_size=limit, sort_by="created_at desc", namespace=self._namespace
            )
        return [_run(found) for found in page.runs or ()]

    def run(self, run_id: str) -> RemoteRun:
        """A run and its tasks.

        Raises:
            NotFoundError: there is no such run.
        """
        with _translated(self.host):
            return _run(self._client.get_run(run_id))

    def cancel(self, run_id: str) -> None:
        """End a run; what its steps have finished is kept."""
        with _translated(self.host):
            self._client.terminate_run(run_id)

    def unschedule(self, schedule_id: str) -> None:
        """Remove a recurring run; its runs stay."""
        with _translated(self.host):
            self._client.delete_recurring_run(schedule_id)


def open_kubeflow(cluster: Cluster, environ: Mapping[str, str] = os.environ) -> Kubeflow:
    """The Kubeflow Pipelines that the environment names, the way `kfp.Client` reads it.

    Raises:
        TransientError: it does not answer.
        InvalidConfigError: nothing says where it is, or it refuses our credentials.
    """
    from kfp import Client
    from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

    credentials = ServiceAccountTokenVolumeCredentials() if environ.get(TOKEN_VARIABLE) else None
    with warnings.catch_warnings(), _translated(environ.get(ENDPOINT_VARIABLE, "")):
        warnings.simplefilter("ignore")
        client = Client(namespace=cluster.namespace or "kubeflow", credentials=credentials, ui_host=cluster.dashboard)
    if client._existing_config.host in {"", "http://localhost"}:  # what its generated client falls back to
        raise InvalidConfigError(f"nothing says where Kubeflow Pipelines is. {_WAY_OUT}")
    kubeflow = Kubeflow(client, client.get_user_namespace() or None)
    kubeflow.healthy()
    return kubeflow


@contextlib.contextmanager
def _translated(host: str) -> Iterator[None]:
    """Errors of the client become ours; what it prints is left out."""
    import urllib3
    from kfp_server_api import ApiException

    where = f"Kubeflow Pipelines at {host}" if host else "Kubeflow Pipelines"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ApiException as err:
        raise _translation(where, err) from err
    except (urllib3.exceptions.HTTPError, TimeoutError, ConnectionError) as err:
        raise TransientError(f"{where} does not answer. {_WAY_OUT}") from err


def _translation(where: str, err: Any) -> CoachworksError:
    try:
        message = str(json.loads(err.body)["message"])
    except (TypeError, ValueError, KeyError):
        message = str(err.reason or err.body)
    if err.status in {401, 403}:
        return InvalidConfigError(
            f"{where} refuses our credentials ({err.status}): {message}. Set {TOKEN_VARIABLE} to the file of a service "
            "account's token, or use an address that lets you in, such as a port-forward."
        )
    if err.status == 404:
        return NotFoundError(f"{where} does not have what was asked for: {message}")
    if err.status in {429, 502, 503, 504}:
        return TransientError(f"{where} is busy ({err.status}): {message}. Try again.")
    if "unknown field" in message:
        return CoachworksError(
            f"{where} does not know all that kfp-kubernetes compiles: {message}. It is too old: use 2.15 or later."
        )
    return CoachworksError(f"{where} refused ({err.status}): {message}")


def _run(found: Any) -> RemoteRun:
    details = found.run_details.task_details if found.run_details else None
    return RemoteRun(
        id=str(found.run_id),
        name=str(found.display_name),
        state=str(found.state or "PENDING"),
        created_at=found.created_at,
        finished_at=found.finished_at if found.finished_at and found.finished_at.year > 1970 else None,
        error=str(found.error.message) if found.error and found.error.message else "",
        schedule=found.recurring_run_id or None,
        tasks=tuple(_task(task) for task in details or ()),
    )


def _task(found: Any) -> RemoteTask:
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


def _schedule(found: Any) -> Schedule:
    trigger = found.trigger.cron_schedule if found.trigger else None
    return Schedule(
        id=str(found.recurring_run_id),
        name=str(found.display_name),
        cron=str(trigger.cron) if trigger else "",
        enabled=str(found.status or found.mode or "").startswith("ENABLE"),
    )
