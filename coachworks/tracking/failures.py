"""Translation of MLflow's errors into coachworks errors, with the address and the way out."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError, TransientError
from coachworks.http_failures import TRANSIENT_STATUSES, innermost_cause, is_untrusted, shortened, speaks_no_tls
from coachworks.storage_failures import storage_failure
from coachworks.tracking.address import URI_VARIABLE, Tracking
from coachworks.tracking.retry import PATIENCE_VARIABLE

_UNANSWERED = ("failed with exception", "failed with timeout exception", "Connection broken", "Connection aborted")
# Errors of the database behind a server when two clients write the same row at the same time.
_COLLIDED = ("UNIQUE constraint failed", "duplicate key value", "deadlock detected", "could not serialize access")
# Words of SQLite about a file that is not what MLflow wrote; an empty file is a database without tables.
_DAMAGED = ("database disk image is malformed", "file is not a database", "no such table")


class ConcurrentChangeError(TransientError):
    """Another writer changed what this work relies on; the work must be started again from its first read."""


@contextmanager
def translated(tracking: Tracking) -> Iterator[None]:
    """Translate errors of MLflow's client within the context.

    Raises:
        TransientError: the server does not answer, or is temporarily unable to.
        InvalidConfigError: the server refuses the credentials, its certificate is not trusted, or the database has
            another version's tables.
        DataError: the file of an embedded database is damaged.
        NotFoundError: an experiment, run, model, version or alias does not exist.
    """
    try:
        yield
    except failures() as err:
        raise translation(err, tracking) from err


def failures() -> tuple[type[Exception], ...]:
    """Return the classes that MLflow's client raises: its own and those of its libraries for databases and HTTP."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException  # type: ignore[import-untyped]

    try:
        from sqlalchemy.exc import DatabaseError
    except ImportError:  # mlflow-skinny, a client of servers alone
        return MlflowException, RequestException
    return MlflowException, RequestException, DatabaseError


def translation(err: Exception, tracking: Tracking) -> CoachworksError:
    """Return the coachworks error for an error of MLflow's client."""
    message, code, status = str(err), str(getattr(err, "error_code", "")), _status(err)
    if tracking.database is not None and (full := storage_failure(err, tracking.database)) is not None:
        return full
    if tracking.database is None:
        error = _server_error(message, code, status, tracking)
        if error is not None:
            return error
    if "out-of-date database schema" in message or "Can't locate revision" in message:
        return InvalidConfigError(
            f"the tables of {tracking.uri} belong to another version of MLflow. Make a copy of the file, then run "
            f"`mlflow db upgrade {tracking.uri}`."
        )
    if tracking.database is not None and (damage := _damage(err)):
        return damaged_database(tracking.database, damage)
    collided = code != "RESOURCE_ALREADY_EXISTS" and any(sign in message for sign in _COLLIDED)
    if collided or status in TRANSIENT_STATUSES or code == "TEMPORARILY_UNAVAILABLE" or "database is locked" in message:
        return TransientError(
            f"the tracking store {tracking.uri} is busy: {shortened(message)}. Run again: what is done is kept."
        )
    if code == "RESOURCE_DOES_NOT_EXIST" or status == 404 or "alias" in message:
        return NotFoundError(f"the tracking store {tracking.uri} does not have what was asked for: {message}")
    return CoachworksError(f"the tracking store {tracking.uri} refused: {message}")


def _damage(err: BaseException) -> str:
    """Return SQLite's words for a damaged database; empty if the error, and what caused it, is another one."""
    while True:
        text = str(err)
        if any(sign in text for sign in _DAMAGED):
            return shortened(text.partition("[SQL:")[0])
        cause = err.__cause__ or err.__context__
        if cause is None:
            return ""
        err = cause


def damaged_database(database: Path, damage: str) -> DataError:
    """Return the error for a damaged file of an embedded database, `damage` in words."""
    aside = f"{database.parent}/damaged"
    quoted = shlex.quote(aside)
    return DataError(
        f"MLflow's database {database} is damaged: {damage}. Put a backup in its place, or move it aside with "
        f"`mkdir -p {quoted} && mv {shlex.quote(str(database))}* {quoted}`: `coachworks run` then registers the latest "
        "results as first versions, and the history before them is in the file that was moved."
    )


def _server_error(message: str, code: str, status: int, tracking: Tracking) -> CoachworksError | None:
    """Return the error for a failure that only a server has: authentication, permission, TLS, no response."""
    if code == "UNAUTHENTICATED" or status == 401:
        return InvalidConfigError(
            f"the tracking server {tracking.uri} requires valid credentials (401). Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    if code == "PERMISSION_DENIED" or status == 403:
        return InvalidConfigError(
            f"the tracking server {tracking.uri} refuses access (403): {shortened(message)}. Ask its administrator "
            "for the permission to edit experiments and registered models; a server that refuses every request may "
            "lack its own name in `--allowed-hosts`."
        )
    if speaks_no_tls(message):
        return InvalidConfigError(
            f"the tracking server {tracking.uri} speaks no TLS: name it as http://…, or one that has a certificate."
        )
    if is_untrusted(message):
        return InvalidConfigError(
            f"the certificate of the tracking server {tracking.uri} is not trusted: {innermost_cause(message)}. Set "
            "MLFLOW_TRACKING_SERVER_CERT_PATH, or REQUESTS_CA_BUNDLE, to a PEM file with the authority that signed it."
        )
    if any(sign in message for sign in _UNANSWERED) or status in TRANSIENT_STATUSES:
        return TransientError(
            f"the tracking server {tracking.uri} does not answer ({innermost_cause(message)}). Check the address in "
            f"`spec.tracking` or {URI_VARIABLE} and that the server runs, then run again: what is done is kept. "
            f"{PATIENCE_VARIABLE} sets how long to wait for it, in seconds."
        )
    if "must be in the 'active' state" in message:
        return ConcurrentChangeError(
            f"another client deleted a run while it was recorded at {tracking.uri}: {shortened(message)}"
        )
    return None


def _status(err: Exception) -> int:
    """Return the HTTP status of an error; 0 if it has none."""
    response = getattr(err, "response", None)
    if response is not None:
        return int(response.status_code)
    match = re.search(r"error code (\d{3})\b|\b(\d{3}) (?:Client|Server) Error", str(err))
    if match:
        return int(match.group(1) or match.group(2))
    if getattr(err, "error_code", "INTERNAL_ERROR") == "INTERNAL_ERROR":  # errors of the client itself have this code
        return 0
    return int(err.get_http_status_code()) if hasattr(err, "get_http_status_code") else 0
