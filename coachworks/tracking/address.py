"""Address of a fleet's tracking store."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.storage_failures import writing_to
from coachworks.store import open_store

URI_VARIABLE = "MLFLOW_TRACKING_URI"


# Parts of a path that SQLAlchemy takes for something else, so that it opens a file of another name: options, an escape.
_MISREAD = re.compile(r"\?|%[0-9a-fA-F]{2}")
# Address of a Service within its cluster.
_SERVICE = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?(?::(\d+))?")


def is_of_this_machine(address: str) -> bool:
    """Return whether an address leads each reader to their own machine.

    >>> is_of_this_machine("http://127.0.0.1:5000"), is_of_this_machine("https://mlflow.example")
    (True, False)
    """
    host = urlsplit(address).hostname or ""
    return host == "localhost" or host.startswith("127.") or host in {"::1", "0.0.0.0"}  # noqa: S104 — nothing is bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """A tracking store.

    Attributes:
        uri: Tracking URI for MLflow, without user name or password.
        database: SQLite file of an embedded store; None with a server.
        address: Address at which people open the server, if it differs.
    """

    uri: str
    database: Path | None = None
    address: str = ""

    @property
    def public(self) -> str:
        """Address at which people open the server; links begin with it."""
        return self.address or self.uri

    @property
    def shared(self) -> bool:
        """True if others can open the address: it is a server's, and not that of a port-forward to this machine."""
        return self.database is None and not is_of_this_machine(self.public)

    def link(self, text: str, page: str) -> str:
        """Return a Markdown link to a page of the UI; the text alone where other people could not open the link.

        Args:
            text: Text of the link.
            page: Address of the page relative to the server's, as in `coachworks.tracking.pages`.
        """
        return f"[{text}]({self.public}{page})" if self.shared else text

    @property
    def way_in(self) -> str:
        """Sentence with the command that opens the UI where there is no shared address; else empty."""
        if self.shared:
            return ""
        if self.database is not None:
            return "Runs and models are recorded in the store: `coachworks mlflow` shows them."
        service = _SERVICE.fullmatch(urlsplit(self.uri).netloc)
        if service is None:
            return f"MLflow has no address that others can open: `spec.tracking` is {self.public}."
        name, namespace, port = service.groups()
        command = f"kubectl -n {namespace} port-forward service/{name} 5000:{port or 80}"
        return (
            f"MLflow has no address that others can open (`spec.tracking` is {self.public}): `{command}` opens it at "
            "http://localhost:5000."
        )

    @property
    def name(self) -> str:
        """Name for people and results: `embedded`, or the address at which people open the server."""
        return self.public if self.database is None else "embedded"

    @property
    def artifacts(self) -> Path | None:
        """Folder of the artifacts of an embedded store."""
        return self.database and self.database.parent / "artifacts"

    def artifact_location(self, experiment: str) -> str | None:
        """Return the location of an experiment's artifacts; None leaves it to the server.

        Args:
            experiment: Name of the experiment, such as `showroom/body-type`.
        """
        return self.artifacts.joinpath(*experiment.split("/")).as_uri() if self.artifacts else None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Exclude other writers of an embedded store, because SQLite has one writer; a server needs no lock."""
        if self.database is None:
            yield
            return
        lock = FileLock(self.database.with_suffix(".lock"))
        with writing_to(self.database):
            self.database.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def tracking_of(fleet: Fleet, environ: Mapping[str, str] = os.environ) -> Tracking:
    """Return a fleet's tracking store: `MLFLOW_TRACKING_URI`, else `spec.tracking`, else embedded in its store.

    A laptop and the pods of a cluster may reach the same server at different addresses: the environment has the
    address for this process, and `spec.tracking` the one that people open.

    Raises:
        InvalidConfigError: the address is of an unsupported kind, or contains credentials.
    """
    in_file = _read(fleet.spec.tracking, "spec.tracking") if fleet.spec.tracking else None
    in_environment = _read(environ[URI_VARIABLE], URI_VARIABLE) if environ.get(URI_VARIABLE) else None
    if in_environment is None:
        return in_file or _embedded_in(fleet.spec.store)
    both_servers = in_file is not None and in_file.database is None and in_environment.database is None
    return Tracking(
        uri=in_environment.uri,
        database=in_environment.database,
        address=in_file.uri if in_file is not None and both_servers else "",
    )


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


def _embedded_in(store: str) -> Tracking:
    if "://" in store and not store.startswith("file://"):
        raise InvalidConfigError(
            f"the store {store!r} is no folder, so MLflow cannot be embedded in it: set spec.tracking to the address "
            f"of an MLflow server, or {URI_VARIABLE} to the one under which this machine reaches it."
        )
    return _embedded(Path(open_store(store).uri) / "mlflow" / "mlflow.db")


def _embedded(database: Path) -> Tracking:
    if _MISREAD.search(str(database)):
        raise InvalidConfigError(
            "the path of an embedded MLflow must have neither a question mark nor a percent sign before two digits; "
            f"got {str(database)!r}. Rename the folder, set `spec.store` to another one, or set `spec.tracking` to the "
            "address of an MLflow server."
        )
    return Tracking(uri=f"sqlite:///{database}", database=database)
