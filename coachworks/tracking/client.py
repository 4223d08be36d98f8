"""Clients of the tracking store, with MLflow's settings and retries."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from filelock import FileLock

from coachworks.errors import TransientError
from coachworks.progress import SILENT, Progress
from coachworks.settings import apply_quiet_settings, child_environment
from coachworks.storage_failures import writing_to
from coachworks.tracking.address import Tracking
from coachworks.tracking.failures import ConcurrentChangeError, damaged_database, failures, translated, translation
from coachworks.tracking.retry import Retries, configured_retries

if TYPE_CHECKING:
    from mlflow import MlflowClient

P = ParamSpec("P")
T = TypeVar("T")

# MLflow's own client repeats every failed request, including those that create something: after a lost reply that
# would create it twice. Therefore it makes one attempt, and `TrackingClient` repeats what may be repeated.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
_NO_RETRIES = Retries(0.0)
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"  # MLflow reads it wherever it opens a database


def server_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for an MLflow process: telemetry, progress output and job runners are off."""
    return {**_SETTINGS, **child_environment(environ)}


class TrackingClient:
    """The methods of MLflow's client that coachworks uses, with retries while a server is unavailable.

    They have MLflow's signatures and raise MLflow's errors, except that a transient failure becomes a TransientError.

    Args:
        client: MLflow's client.
        tracking: The tracking store.
        retries: Retries of single requests.
    """

    def __init__(self, client: "MlflowClient", tracking: Tracking, retries: Retries) -> None:
        self._tracking, self.retries = tracking, retries
        repeat, once = self._repeated, self._once

        self.create_experiment = repeat(client.create_experiment)
        self.get_experiment_by_name = repeat(client.get_experiment_by_name)
        self.search_experiments = repeat(client.search_experiments)
        self.set_experiment_tag = repeat(client.set_experiment_tag)
        self.rename_experiment = once(client.rename_experiment)
        self.restore_experiment = repeat(client.restore_experiment)
        self.delete_experiment = repeat(client.delete_experiment)

        self.create_run = once(client.create_run)  # not idempotent: every call creates a run
        self.get_run = repeat(client.get_run)
        self.search_runs = repeat(client.search_runs)
        self.log_artifact = repeat(client.log_artifact)
        self.log_batch = repeat(client.log_batch)
        self.log_inputs = repeat(client.log_inputs)
        self.log_text = repeat(client.log_text)
        self.set_terminated = repeat(client.set_terminated)
        self.delete_run = repeat(client.delete_run)

        self.create_registered_model = repeat(client.create_registered_model)
        self.get_registered_model = repeat(client.get_registered_model)
        self.search_registered_models = repeat(client.search_registered_models)
        self.rename_registered_model = once(client.rename_registered_model)  # not idempotent: the old name is gone
        self.set_registered_model_tag = repeat(client.set_registered_model_tag)
        self.delete_registered_model_tag = repeat(client.delete_registered_model_tag)
        self.update_registered_model = repeat(client.update_registered_model)
        self.set_registered_model_alias = repeat(client.set_registered_model_alias)
        self.delete_registered_model_alias = repeat(client.delete_registered_model_alias)

        self.create_model_version = once(client.create_model_version)  # not idempotent: every call creates a version
        self.get_model_version = repeat(client.get_model_version)
        self.search_model_versions = repeat(client.search_model_versions)
        self.update_model_version = repeat(client.update_model_version)
        self.set_model_version_tag = repeat(client.set_model_version_tag)
        self.delete_model_version_tag = repeat(client.delete_model_version_tag)
        self.delete_model_version = repeat(client.delete_model_version)

    @property
    def embedded(self) -> bool:
        """True if the store is a file, without a server."""
        return self._tracking.database is not None

    def download_artifacts(self, run_id: str, path: str, folder: str) -> str:
        """Download a file or folder of a run's artifacts to `folder`; return its local path.

        MLflow's method of this name reports every failure, also that of a connection, as a path that does not exist.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        uri = self.get_run(run_id).info.artifact_uri
        artifacts = get_artifact_repository(uri, tracking_uri=self._tracking.uri)
        return str(self._repeated(artifacts.download_artifacts)(path, folder))

    def _repeated(self, method: Callable[P, T]) -> Callable[P, T]:
        """Return `method` with retries."""
        once = self._once(method)

        def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.retries.run(lambda: once(*args, **kwargs))

        return repeated

    def _once(self, method: Callable[P, T]) -> Callable[P, T]:
        """Return `method` with its transient failures as TransientError."""

        def once(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return method(*args, **kwargs)
            except failures() as err:
                error = translation(err, self._tracking)
                if isinstance(error, TransientError) and not isinstance(error, ConcurrentChangeError):
                    raise error from err
                raise

        return once


def open_client(tracking: Tracking, progress: Progress = SILENT, *, longest_wait_s: float = math.inf) -> TrackingClient:
    """Return a client of the tracking store; an embedded store is created if it does not exist.

    Requests to a server that does not answer are repeated for as long as `COACHWORKS_TRACKING_PATIENCE_S` allows.
    `create_run` and `create_model_version` are not repeated and raise a TransientError: see `retry_transient`.

    Args:
        tracking: The tracking store.
        progress: Receives a note when the client waits for the server.
        longest_wait_s: Limit of that wait for work that can do without the server.

    Raises:
        InvalidConfigError: the database belongs to another version of MLflow, or a setting of the environment is
            invalid.
        DataError: the file of an embedded database is empty, and was not.
    """
    apply_quiet_settings()
    for name, value in _SETTINGS.items():  # MLflow reads them from the environment, when imported and later
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])
    with translated(tracking), _creation_lock(tracking), _artifact_root(tracking):
        _refuse_emptied(tracking)
        client = MlflowClient(tracking_uri=tracking.uri, registry_uri=tracking.uri)
    if tracking.database:
        return TrackingClient(client, tracking, _NO_RETRIES)
    retries = configured_retries(progress)
    return TrackingClient(client, tracking, replace(retries, limit_s=min(retries.limit_s, longest_wait_s)))


def retry_transient(client: TrackingClient, work: Callable[[], T]) -> T:
    """Return the result of `work`, which is started again after each transient failure of a server.

    `work` must look for existing objects before it creates any: a request whose reply was lost may have succeeded.

    Raises:
        TransientError: the server did not come back in time.
    """
    return client.retries.run(work)


def _refuse_emptied(tracking: Tracking) -> None:
    """Refuse an empty file of a database beside the artifacts of its runs: SQLite takes it for a new one."""
    database, artifacts = tracking.database, tracking.artifacts
    if database is None or artifacts is None or not database.exists() or database.stat().st_size > 0:
        return
    if artifacts.is_dir() and any(artifacts.iterdir()):
        raise damaged_database(database, f"it is empty, while {artifacts} holds the artifacts of its runs")


@contextmanager
def _artifact_root(tracking: Tracking) -> Iterator[None]:
    """Let MLflow create its default experiment in the store, not in the current folder.

    Its SQL cannot quote a path with an apostrophe; a URI has none.
    """
    if tracking.artifacts is None or _ARTIFACT_ROOT in os.environ:
        yield
        return
    os.environ[_ARTIFACT_ROOT] = tracking.artifacts.as_uri()
    try:
        yield
    finally:
        os.environ.pop(_ARTIFACT_ROOT, None)


@contextmanager
def _creation_lock(tracking: Tracking) -> Iterator[None]:
    """Prevent two clients from creating the tables of an embedded store at the same time."""
    if tracking.database is None:
        yield
        return
    lock = FileLock(tracking.database.with_suffix(".tables.lock"))
    with writing_to(tracking.database):
        tracking.database.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
