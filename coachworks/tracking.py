"""Where runs and models are recorded: an MLflow server, or one embedded as an SQLite file beside the store's objects.

Every setting of MLflow is made here, and every exception of its client is translated here.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from filelock import FileLock

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.fleet.model import Fleet
from coachworks.settings import apply_quiet_settings, child_environment
from coachworks.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI_VARIABLE = "MLFLOW_TRACKING_URI"
CHAMPION = "champion"  # the alias of the version that is served
VIEW = "coachworks"  # the name of the view that an experiment's page opens with
CHALLENGER = "challenger"  # the alias of the version that wants to be

# A server that is down is noticed in seconds, not in the minutes that MLflow's own defaults take.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where runs and models are recorded.

    Attributes:
        uri: Tracking URI as MLflow understands it.
        database: The SQLite file of an embedded store; None where a server does the work.
    """

    uri: str
    database: Path | None = None

    @property
    def name(self) -> str:
        """What people and results call it: `embedded`, or the server's address."""
        return self.uri if self.database is None else "embedded"

    @property
    def artifacts(self) -> Path | None:
        """Folder of the artifacts of an embedded store."""
        return self.database and self.database.parent / "artifacts"

    def artifact_location(self, experiment: str) -> str | None:
        """Where an experiment's artifacts go; None leaves it to the server.

        Args:
            experiment: Name of the experiment, such as `showroom/body-type`.
        """
        return self.artifacts.joinpath(*experiment.split("/")).as_uri() if self.artifacts else None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else writes meanwhile: an SQLite file has one writer at a time, a server sees to that itself."""
        if self.database is None:
            yield
            return
        self.database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.database.with_suffix(".lock")):
            yield


def tracking_of(fleet: Fleet, environ: Mapping[str, str] = os.environ) -> Tracking:
    """Where a fleet's runs are recorded: `spec.tracking`, else `MLFLOW_TRACKING_URI`, else embedded in its store.

    Raises:
        InvalidConfigError: the address is none that coachworks can record to.
    """
    uri, setting = fleet.spec.tracking, "spec.tracking"
    if not uri:
        uri, setting = environ.get(URI_VARIABLE, ""), URI_VARIABLE
    if not uri:
        folder = Path(open_store(fleet.spec.store).uri) / "mlflow"
        return _embedded(folder / "mlflow.db")
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"} and parts.netloc:
        return Tracking(uri=uri.rstrip("/"))
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        return _embedded(Path(parts.path[1:]).absolute())
    raise InvalidConfigError(
        f"{setting} must be the http(s) address of an MLflow server or sqlite:///file.db; got {uri!r}. "
        "Leave it out for the embedded store, which needs no server."
    )


def _embedded(database: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{database}", database=database)


def server_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a process of MLflow: telemetry, chatter and job runners off, little patience."""
    return {**_PATIENCE, **child_environment(environ)}


def open_client(tracking: Tracking) -> "MlflowClient":
    """A client of the tracking store; an embedded one is created where there is none yet.

    Raises:
        TransientError: the server does not answer.
        InvalidConfigError: the database belongs to another version of MLflow, or the server refuses our credentials.
    """
    apply_quiet_settings()
    for name, value in _PATIENCE.items():  # MLflow reads its settings from there, at import and later
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])
    with translated(tracking), _while_created(tracking):
        return MlflowClient(tracking_uri=tracking.uri, registry_uri=tracking.uri)


@contextmanager
def _while_created(tracking: Tracking) -> Iterator[None]:
    """Two first clients at once must not both create the tables."""
    if tracking.database is None:
        yield
        return
    tracking.database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(tracking.database.with_suffix(".tables.lock")):
        yield


@contextmanager
def translated(tracking: Tracking) -> Iterator[None]:
    """Errors of MLflow's client become ours, with the address and the way out.

    Raises:
        TransientError: the server does not answer, or answers that it cannot for now.
        InvalidConfigError: the server refuses the credentials, or the database has another version's tables.
        NotFoundError: an experiment, run, model, version or alias does not exist.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as err:
        raise _translation(err, str(err), tracking) from err


def _translation(err: Exception, message: str, tracking: Tracking) -> CoachworksError:
    code = getattr(err, "error_code", "")
    status = err.get_http_status_code() if hasattr(err, "get_http_status_code") else 0
    if code == "UNAUTHENTICATED" or "error code 401" in message:
        return InvalidConfigError(
            f"the tracking server {tracking.uri} does not know who is asking (401). Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    if code == "PERMISSION_DENIED" or "error code 403" in message:
        return InvalidConfigError(
            f"the tracking server {tracking.uri} refuses access (403): {message}. Ask its administrator for the "
            "permission to edit experiments and registered models; a server that refuses every request may lack its "
            "own name in `--allowed-hosts`."
        )
    if "out-of-date database schema" in message or "Can't locate revision" in message:
        return InvalidConfigError(
            f"the tables of {tracking.uri} belong to another version of MLflow. Make a copy of the file, then run "
            f"`mlflow db upgrade {tracking.uri}`."
        )
    if tracking.database is None and ("failed with exception" in message or "Max retries" in message):
        return TransientError(
            f"the tracking server {tracking.uri} does not answer. Check the address in `spec.tracking` or "
            f"{URI_VARIABLE} and that the server runs, then run again: what is done is kept."
        )
    if status in {429, 502, 503, 504} or code == "TEMPORARILY_UNAVAILABLE" or "database is locked" in message:
        return TransientError(f"the tracking store {tracking.uri} is busy: {message}. Run again: what is done is kept.")
    if code == "RESOURCE_DOES_NOT_EXIST" or "alias" in message:
        return NotFoundError(f"the tracking store {tracking.uri} does not have what was asked for: {message}")
    return CoachworksError(f"the tracking store {tracking.uri} refused: {message}")


_NAVIGATION = "workflowType=machine_learning"  # or the UI's menu speaks of prompts and agents


def experiment_page(experiment_id: str) -> str:
    """Address of an experiment's runs in MLflow's UI, relative to the server's."""
    return f"/#/experiments/{experiment_id}/runs?{_NAVIGATION}&viewStateShareKey={VIEW}"


def comparison_page(experiment_id: str, run_ids: list[str]) -> str:
    """Address of the page that compares runs in MLflow's UI, relative to the server's."""
    runs, experiments = quote(json.dumps(run_ids)), quote(json.dumps([experiment_id]))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}&{_NAVIGATION}"


def model_page(model: str) -> str:
    """Address of a registered model in MLflow's UI, relative to the server's."""
    return f"/#/models/{quote(model)}?{_NAVIGATION}"
