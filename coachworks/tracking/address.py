"""Which tracking store a fleet records to."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.store import open_store

URI_VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where runs and models are recorded.

    Attributes:
        uri: Tracking URI as MLflow understands it; no user name or password in it.
        database: The SQLite file of an embedded store; None where a server does the work.
        address: Address of the server as people open it, where that is another one.
    """

    uri: str
    database: Path | None = None
    address: str = ""

    @property
    def public(self) -> str:
        """The server's address for people: what links begin with."""
        return self.address or self.uri

    @property
    def name(self) -> str:
        """What people and results call it: `embedded`, or the server's address as people open it."""
        return self.public if self.database is None else "embedded"

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
    """Where a fleet's runs are recorded: `MLFLOW_TRACKING_URI`, else `spec.tracking`, else embedded in its store.

    A laptop and a cluster's pods may reach one server under different addresses: each names its own in the
    environment, and `spec.tracking` is the one that people open.

    Raises:
        InvalidConfigError: the address is none that coachworks can record to, or holds credentials.
    """
    named = _read(fleet.spec.tracking, "spec.tracking") if fleet.spec.tracking else None
    given = _read(environ[URI_VARIABLE], URI_VARIABLE) if environ.get(URI_VARIABLE) else None
    if given is not None:
        people = named.uri if named is not None and given.database is None and named.database is None else ""
        return Tracking(uri=given.uri, database=given.database, address=people)
    return named or _beside_the_store(fleet.spec.store)


def _read(uri: str, setting: str) -> Tracking:
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise InvalidConfigError(
            f"{setting} must not hold a user name, password or token; it names {parts.hostname!r}. Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    if parts.scheme in {"http", "https"} and parts.netloc:
        return Tracking(uri=uri.rstrip("/"))
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        return _embedded(Path(parts.path[1:]).absolute())
    raise InvalidConfigError(
        f"{setting} must be the http(s) address of an MLflow server or sqlite:///file.db; got {uri!r}. "
        "Leave it out for the embedded store, which needs no server."
    )


def _beside_the_store(store: str) -> Tracking:
    if "://" in store and not store.startswith("file://"):
        raise InvalidConfigError(
            f"the store {store!r} is no folder, so MLflow cannot be embedded in it: set spec.tracking to the address "
            f"of an MLflow server, or {URI_VARIABLE} to the one under which this machine reaches it."
        )
    return _embedded(Path(open_store(store).uri) / "mlflow" / "mlflow.db")


def _embedded(database: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{database}", database=database)
