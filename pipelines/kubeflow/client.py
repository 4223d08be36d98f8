"""Client of Kubeflow Pipelines; every call of the `kfp` client is made here."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.fleet.cluster import Cluster
from pipelines.kubeflow.dashboard import serves_pages
from pipelines.kubeflow.failures import ENDPOINT_VARIABLE, TOKEN_VARIABLE, WAY_OUT, translated
from pipelines.kubeflow.records import RemoteRun, Schedule, run_of, schedule_of

if TYPE_CHECKING:
    from kfp import Client


class Kubeflow:
    """Kubeflow Pipelines of a cluster."""

    def __init__(self, client: "Client", namespace: str | None) -> None:
        self._client, self._namespace = client, namespace

    @cached_property
    def dashboard(self) -> str:
        """Address of its dashboard: KF_PIPELINES_UI_ENDPOINT, the fleet file's, or the API's if it serves pages.

        Empty if none is known: the API alone answers 404 to a browser.
        """
        named = str(self._client._get_url_prefix()).rstrip("/")
        if not named.startswith(("http://", "https://")):  # found through KUBECONFIG
            return ""
        return named if named != self.host.rstrip("/") or serves_pages(named) else ""

    @property
    def host(self) -> str:
        """Address of its API."""
        return str(self._client._existing_config.host)

    def run_page(self, run_id: str) -> str:
        """Return the address of a run's page in the dashboard; empty if no dashboard is known."""
        return f"{self.dashboard}/#/runs/details/{run_id}" if self.dashboard else ""

    def schedule_page(self, schedule_id: str) -> str:
        """Return the address of a recurring run's page in the dashboard; empty if no dashboard is known."""
        return f"{self.dashboard}/#/recurringrun/details/{schedule_id}" if self.dashboard else ""

    @property
    def dashboard_command(self) -> str:
        """Command that makes the dashboard available at http://localhost:8080."""
        return f"kubectl -n {self._namespace or 'kubeflow'} port-forward svc/ml-pipeline-ui 8080:80"

    def check_health(self) -> None:
        """Check that the API answers.

        Raises:
            TransientError: it does not answer.
        """
        with translated(self.host):
            self._client._healthz_api.healthz_service_get_healthz(_request_timeout=10)

    @property
    def namespace(self) -> str | None:
        """Namespace of the runs; None if the server has a single one."""
        return self._namespace

    def version(self) -> str:
        """Return the version of the server; empty if it does not report one."""
        with translated(self.host):
            response = self._client._healthz_api.healthz_service_get_healthz(
                _preload_content=False, _request_timeout=10
            )
            version = str(json.loads(response.data).get("tag_name") or "")
        return "" if version == "unknown" else version

    def check_access(self) -> None:
        """Check that we may list experiments.

        Raises:
            InvalidConfigError: the server refuses our credentials.
        """
        with translated(self.host):
            self._client.list_experiments(page_size=1, namespace=self._namespace)

    def start_unnamed(
        self, experiment_id: str, name: str, package: Path, parameters: Mapping[str, Any], service_account: str | None
    ) -> RemoteRun:
        """Start a run of a compiled pipeline without uploading it as a named pipeline."""
        with translated(self.host):
            started = self._client.create_run_from_pipeline_package(
                str(package), dict(parameters), name, experiment_id=experiment_id, service_account=service_account
            )
        return run_of(started.run_info)

    def log(self, run_id: str, pod: str) -> str:
        """Return the log of a run's pod."""
        client = self._client._run_api.api_client
        with translated(self.host):
            response = client.call_api(
                "/apis/v1alpha1/runs/{run}/nodes/{node}/log",
                "GET",
                path_params={"run": run_id, "node": pod},
                auth_settings=["Bearer"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=30,
            )
        return bytes(response.data).decode("utf-8", "replace")

    def forget(self, run_id: str, experiment_id: str) -> None:
        """Delete a run with all its pods, and its experiment if that has no other run."""
        with translated(self.host):
            self._client.delete_run(run_id)
            if not self._client.list_runs(experiment_id=experiment_id, page_size=1, namespace=self._namespace).runs:
                self._client.delete_experiment(experiment_id)

    def upload(self, package: Path, name: str, version: str, description: str) -> tuple[str, str]:
        """Upload a version of a pipeline unless it exists, and return the ids of the pipeline and the version.

        Raises:
            CoachworksError: the server refuses the pipeline.
        """
        from kfp_server_api import V2beta1Pipeline

        with translated(self.host):
            pipeline_id = self._client.get_pipeline_id(name)
            if pipeline_id is None:
                body = V2beta1Pipeline(display_name=name, description=description, namespace=self._namespace)
                created = self._client._pipelines_api.pipeline_service_create_pipeline(pipeline=body)
                pipeline_id = str(created.pipeline_id)
            for existing in self._versions(pipeline_id):
                if existing.display_name == version:
                    return pipeline_id, str(existing.pipeline_version_id)
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
        """Return the id of the experiment `name`, which is created unless it exists."""
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
        """Start a run of a pipeline's version, given by the ids that `upload` returned."""
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
        """Create a recurring run in place of those of the same name, without concurrency and without catch-up."""
        fields = cron.split()
        six = cron if len(fields) == 6 else f"0 {' '.join(fields)}"  # KFP's first field is the second
        replaced = [existing.id for existing in self.schedules(experiment_id) if existing.name == name]
        with translated(self.host):
            created = self._client.create_recurring_run(
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
        for schedule_id in replaced:
            self.end_schedule(experiment_id, schedule_id)
        return schedule_of(created)

    def schedules(self, experiment_id: str) -> list[Schedule]:
        """Return the recurring runs of an experiment."""
        with translated(self.host):
            page = self._client.list_recurring_runs(experiment_id=experiment_id, page_size=100)
        return [schedule_of(record) for record in page.recurring_runs or ()]

    def runs(self, experiment_id: str, limit: int) -> list[RemoteRun]:
        """Return the newest runs of an experiment, newest first."""
        with translated(self.host):
            page = self._client.list_runs(
                experiment_id=experiment_id, page_size=limit, sort_by="created_at desc", namespace=self._namespace
            )
        return [run_of(record) for record in page.runs or ()]

    def run(self, run_id: str) -> RemoteRun:
        """Return a run with its tasks.

        Raises:
            NotFoundError: there is no such run.
        """
        with translated(self.host):
            return run_of(self._client.get_run(run_id))

    def cancel(self, run_id: str) -> None:
        """Terminate a run; results of finished steps are kept."""
        with translated(self.host):
            self._client.terminate_run(run_id)

    def end_schedule(self, experiment_id: str, schedule_id: str) -> bool:
        """Delete a recurring run, or disable it while one of its runs is active; return whether it was deleted.

        With a recurring run Kubernetes deletes the workflows that it created, active ones included.
        """
        active = [run for run in self.runs(experiment_id, 100) if run.schedule == schedule_id and not run.ended]
        with translated(self.host):
            self._client.disable_recurring_run(schedule_id)
            if not active:
                self._client.delete_recurring_run(schedule_id)
        return not active


def open_kubeflow(cluster: Cluster, environ: Mapping[str, str] = os.environ) -> Kubeflow:
    """Connect to the Kubeflow Pipelines that the environment names, the way `kfp.Client` reads it.

    Raises:
        TransientError: it does not answer.
        InvalidConfigError: no address is configured, or the server refuses our credentials.
    """
    from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

    endpoint = environ.get(ENDPOINT_VARIABLE, "")
    credentials = ServiceAccountTokenVolumeCredentials() if environ.get(TOKEN_VARIABLE) else None
    try:
        with warnings.catch_warnings(), translated(endpoint):
            warnings.simplefilter("ignore")
            client = _client_class()(
                namespace=cluster.namespace or "kubeflow", credentials=credentials, ui_host=cluster.dashboard
            )
        kubeflow = Kubeflow(client, client.get_user_namespace() or None)
        kubeflow.check_health()
    except CoachworksError as err:
        if endpoint or isinstance(err, InvalidConfigError):
            raise
        reason = str(err).removesuffix(WAY_OUT).strip().rstrip(".")
        raise InvalidConfigError(
            f"no address of Kubeflow Pipelines is configured, and KUBECONFIG leads to none: {reason}. {WAY_OUT}"
        ) from err
    return kubeflow


def _client_class() -> "type[Client]":
    """Return kfp's client, but asking the server once: kfp asks five times, 5 s apart, and prints a traceback each."""
    from kfp import Client

    class QuickClient(Client):  # type: ignore[misc] # kfp has no types
        """Client that reports at once that the server does not answer."""

        def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
            if self._existing_config.host in {"", "http://localhost"}:  # defaults of the generated client
                raise InvalidConfigError(f"no address of Kubeflow Pipelines is configured. {WAY_OUT}")
            return self._healthz_api.healthz_service_get_healthz(_request_timeout=10)

    return QuickClient
