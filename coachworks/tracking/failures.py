"""What MLflow's client fails with becomes one of our errors, with the address and the way out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.http_failures import TRANSIENT_STATUSES, innermost_cause, is_untrusted, shortened, speaks_no_tls
from coachworks.tracking.address import URI_VARIABLE, Tracking
from coachworks.tracking.patience import PATIENCE_VARIABLE

_UNANSWERED = ("failed with exception", "failed with timeout exception", "Connection broken", "Connection aborted")
# Two clients wrote the same at the same moment, and the server did not sort it out: what is there now, is there.
_COLLIDED = ("UNIQUE constraint failed", "duplicate key value", "deadlock detected", "could not serialize access")


class OvertakenError(TransientError):
    """Somebody else changed what this work rests on: only starting over, by asking what is there, helps."""


@contextmanager
def translated(tracking: Tracking) -> Iterator[None]:
    """Errors of MLflow's client become ours.

    Raises:
        TransientError: the server does not answer, or answers that it cannot for now.
        InvalidConfigError: the server refuses the credentials, its certificate is not trusted, or the database has
            another version's tables.
        NotFoundError: an experiment, run, model, version or alias does not exist.
    """
    try:
        yield
    except failures() as err:
        raise translation(err, tracking) from err


def failures() -> tuple[type[Exception], ...]:
    """What MLflow's client raises: its own errors and, for artifacts, those of the library beneath."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException  # type: ignore[import-untyped]

    return MlflowException, RequestException


def translation(err: Exception, tracking: Tracking) -> CoachworksError:
    """The error of ours that says what an error of MLflow's client means."""
    message, code, status = str(err), str(getattr(err, "error_code", "")), _status(err)
    if tracking.database is None:
        told = _refusal(message, code, status, tracking)
        if told is not None:
            return told
    if "out-of-date database schema" in message or "Can't locate revision" in message:
        return InvalidConfigError(
            f"the tables of {tracking.uri} belong to another version of MLflow. Make a copy of the file, then run "
            f"`mlflow db upgrade {tracking.uri}`."
        )
    collided = code != "RESOURCE_ALREADY_EXISTS" and any(sign in message for sign in _COLLIDED)
    if collided or status in TRANSIENT_STATUSES or code == "TEMPORARILY_UNAVAILABLE" or "database is locked" in message:
        return TransientError(
            f"the tracking store {tracking.uri} is busy: {shortened(message)}. Run again: what is done is kept."
        )
    if code == "RESOURCE_DOES_NOT_EXIST" or status == 404 or "alias" in message:
        return NotFoundError(f"the tracking store {tracking.uri} does not have what was asked for: {message}")
    return CoachworksError(f"the tracking store {tracking.uri} refused: {message}")


def _refusal(message: str, code: str, status: int, tracking: Tracking) -> CoachworksError | None:
    """What only a server says: that it does not know us, does not trust us, or nothing at all."""
    if code == "UNAUTHENTICATED" or status == 401:
        return InvalidConfigError(
            f"the tracking server {tracking.uri} does not know who is asking (401). Set MLFLOW_TRACKING_USERNAME and "
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
            f"{PATIENCE_VARIABLE} says how long it is waited for."
        )
    if "must be in the 'active' state" in message:
        return OvertakenError(f"somebody removed what was being recorded at {tracking.uri}: {shortened(message)}")
    return None


def _status(err: Exception) -> int:
    """The HTTP status behind an error; 0 where there is none."""
    response = getattr(err, "response", None)
    if response is not None:
        return int(response.status_code)
    told = re.search(r"error code (\d{3})\b|\b(\d{3}) (?:Client|Server) Error", str(err))
    if told:
        return int(told.group(1) or told.group(2))
    if getattr(err, "error_code", "INTERNAL_ERROR") == "INTERNAL_ERROR":  # also what a client's own errors are called
        return 0
    return int(err.get_http_status_code()) if hasattr(err, "get_http_status_code") else 0
