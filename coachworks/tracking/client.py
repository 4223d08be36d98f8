"""MLflow's client: every setting of it is made here, and a server that is away for a while is waited for."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from filelock import FileLock

from coachworks.errors import TransientError
from coachworks.progress import SILENT, Progress
from coachworks.settings import apply_quiet_settings, child_environment
from coachworks.tracking.address import Tracking
from coachworks.tracking.failures import OvertakenError, failures, translated, translation
from coachworks.tracking.patience import Patience, patience_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

# MLflow's own client repeats every failed request, also those that make something: a reply that was lost would make
# it twice. So it asks once, and `Patience` repeats what may be repeated.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
# What makes another one each time it is called; the rest of the client's methods may be repeated.
_MAKING = frozenset({"create_run", "create_model_version"})


def server_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process of MLflow: telemetry, chatter and job runners off."""
    return {**_SETTINGS, **child_environment(environ)}


def open_client(tracking: Tracking, progress: Progress = SILENT) -> "MlflowClient":
    """A client of the tracking store; an embedded one is created where there is none yet.

    A server that does not answer is waited for, as long as `COACHWORKS_TRACKING_PATIENCE_S` says. What makes something
    anew at each call (`create_run`, `create_model_version`) fails at once with a TransientError: see `patiently`.

    Args:
        tracking: The tracking store.
        progress: Is told of the waiting.

    Raises:
        InvalidConfigError: the database belongs to another version of MLflow, or a setting of the environment is wrong.
    """
    apply_quiet_settings()
    for name, value in _SETTINGS.items():  # MLflow reads its settings from there, at import and later
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])
    with translated(tracking), _while_created(tracking):
        client = MlflowClient(tracking_uri=tracking.uri, registry_uri=tracking.uri)
    if tracking.database is not None:
        return client
    return cast("MlflowClient", _PatientClient(client, tracking, patience_of(progress)))


def patiently(client: "MlflowClient", work: Callable[[], T]) -> T:
    """`work`, from its beginning again after each transient failure of a server, as long as patience lasts.

    It must ask what is there before it makes anything: a request whose reply was lost may have been carried out.

    Raises:
        TransientError: the server did not come back in time.
    """
    stand_in: object = client
    return stand_in.patience.keep(work) if isinstance(stand_in, _PatientClient) else work()


class _PatientClient:
    """Stands in for MLflow's client of a server."""

    def __init__(self, client: "MlflowClient", tracking: Tracking, patience: Patience) -> None:
        self._client, self._tracking, self.patience = client, tracking, patience

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not callable(method):
            return method
        return partial(self._once if name in _MAKING else self._repeated, method)

    def download_artifacts(self, run_id: str, path: str, folder: str) -> str:
        """Download a run's artifacts; MLflow's own way says of every failure that the path does not exist."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        where = self._repeated(self._client.get_run, run_id).info.artifact_uri
        artifacts = get_artifact_repository(where, tracking_uri=self._tracking.uri)
        return str(self._repeated(artifacts.download_artifacts, path, folder))

    def _repeated(self, method: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        return self.patience.keep(partial(self._once, method, *args, **kwargs))

    def _once(self, method: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        try:
            return method(*args, **kwargs)
        except failures() as err:
            told = translation(err, self._tracking)
            if isinstance(told, TransientError) and not isinstance(told, OvertakenError):
                raise told from err
            raise


@contextmanager
def _while_created(tracking: Tracking) -> Iterator[None]:
    """Two first clients at once must not both create the tables."""
    if tracking.database is None:
        yield
        return
    tracking.database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(tracking.database.with_suffix(".tables.lock")):
        yield
