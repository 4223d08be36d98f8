"""Kubeflow Pipelines, as coachworks uses it: every call of its client is made here."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.errors import InvalidConfigError
from coachworks.fleet.cluster import Cluster
from pipelines.kubeflow.failures import ENDPOINT_VARIABLE, TOKEN_VARIABLE, WAY_OUT, translated
from pipelines.kubeflow.records import RemoteRun, Schedule, run_of, schedule_of

if TYPE_CHECKING:
    from kfp import Client


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
        with translated(self.host):
            self._client._healthz_api.healthz_service_get_healthz(_request_timeout=10)

    @property
    def namespace(self) -> str | None:
        """Namespace of the runs, or None where the server has but one."""
        return self._namespace

    def version(self) -> str:
        """What its server calls its release; empty where it does not say."""
        with translated(self.host):
            answer = self._client._healthz_api.healthz_service_get_healthz(_preload_content=False, _request_timeout=10)
            told = str(json.loads(answer.data).get("tag_name") or "")
        return "" if told == "unknown" else told

    def look(self) -> None:
        """List what is there, to see whether that is permitted.

        Raises:
            InvalidConfigError: it is not.
        """
        with translated(self.host):
            self._client.list_experiments(page_size=1, namespace=self._namespace)

    def start_unnamed(
        self, experiment_id: str, name: str, package: Path, parameters: Mapping[str, Any], service_account: str | None
    ) -> RemoteRun:
        """Start a run of a compiled pipeline that is not kept among the pipelines."""
        with translated(self.host):
            started = self._client.create_run_from_pipeline_package(
                str(package), dict(parameters), name, experiment_id=experiment_id, service_account=service_account
            )
        return run_of(started.run_info)

    def log(self, run_id: str, pod: str) -> str:
        """What a pod of a run has printed."""
        client = self._client._run_api.api_client
        with translated(self.host):
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
        with translated(self.host):
            self._client.delete_run(run_id)
            if not self._client.list_runs(experiment_id=experiment_id, page_size=1, namespace=self._namespace).runs:
                self._client.delete_experiment(experiment_id)

    def upload(self, package: Path, name: str, version: str, description: str) -> tuple[str, str]:
        """The ids of a pipeline and of its version called `version`; uploaded where they are not there yet.

        Raises:
            CoachworksError: the server refuses the pipeline.
        """
        from kfp_server_api import V2beta1Pipeline

        with translated(self.host):
            pipeline_id = self._client.get_pipeline_id(name)
            if pipeline_id is None:
                body = V2beta1Pipeline(display_name=name, description=description, namespace=self._namespace)
                made = self._client._pipelines_api.pipeline_service_create_pipeline(pipeline=body)
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
        with translated(self.host):
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
        with translated(self.host):
            started = self._client.run_pipeline(
                experiment_id,
                name,
                pipeline_id=version[0],
                version_id=version[1],
                params=dict(parameters),
                service_account=service_account,
            )
        return run_of(started)

    def schedule(
        self,
        experiment_id: str,
        name: str,
        version: tuple[str, str],
        parameters: Mapping[str, Any],
        service_account: str | None,
        cron: str,
    ) -> Schedule:
        """Make a recurring run, in place of those of the same name: one run at a time, nothing caught up."""
        fields = cron.split()
        six = cron if len(fields) == 6 else f"0 {' '.join(fields)}"  # KFP's first field is the second
        before = [known.id for known in self.schedules(experiment_id) if known.name == name]
        with translated(self.host):
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
            self.retire(experiment_id, old)
        return schedule_of(made)

    def schedules(self, experiment_id: str) -> list[Schedule]:
        """The recurring runs of an experiment."""
        with translated(self.host):
            page = self._client.list_recurring_runs(experiment_id=experiment_id, page_size=100)
        return [schedule_of(found) for found in page.recurring_runs or ()]

    def runs(self, experiment_id: str, limit: int) -> list[RemoteRun]:
        """The newest runs of an experiment, newest first."""
        with translated(self.host):
            page = self._client.list_runs(
                experiment_id=experiment_id, page_size=limit, sort_by="created_at desc", namespace=self._namespace
            )
        return [run_of(found) for found in page.runs or ()]

    def run(self, run_id: str) -> RemoteRun:
        """A run and its tasks.

        Raises:
            NotFoundError: there is no such run.
        """
        with translated(self.host):
            return run_of(self._client.get_run(run_id))

    def cancel(self, run_id: str) -> None:
        """End a run; what its steps have finished is kept."""
        with translated(self.host):
            self._client.terminate_run(run_id)

    def retire(self, experiment_id: str, schedule_id: str) -> bool:
        """End a recurring run: removed, or, while one of its runs is under way, disabled. Whether it is removed.

        With a recurring run Kubernetes removes the workflows that it made, those at work included.
        """
        at_work = [run for run in self.runs(experiment_id, 100) if run.schedule == schedule_id and not run.ended]
        with translated(self.host):
            self._client.disable_recurring_run(schedule_id)
            if not at_work:
                self._client.delete_recurring_run(schedule_id)
        return not at_work


def open_kubeflow(cluster: Cluster, environ: Mapping[str, str] = os.environ) -> Kubeflow:
    """The Kubeflow Pipelines that the environment names, the way `kfp.Client` reads it.

    Raises:
        TransientError: it does not answer.
        InvalidConfigError: nothing says where it is, or it refuses our credentials.
    """
    from kfp import Client
    from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

    credentials = ServiceAccountTokenVolumeCredentials() if environ.get(TOKEN_VARIABLE) else None
    with warnings.catch_warnings(), translated(environ.get(ENDPOINT_VARIABLE, "")):
        warnings.simplefilter("ignore")
        client = Client(namespace=cluster.namespace or "kubeflow", credentials=credentials, ui_host=cluster.dashboard)
    if client._existing_config.host in {"", "http://localhost"}:  # what its generated client falls back to
        raise InvalidConfigError(f"nothing says where Kubeflow Pipelines is. {WAY_OUT}")
    kubeflow = Kubeflow(client, client.get_user_namespace() or None)
    kubeflow.healthy()
    return kubeflow
