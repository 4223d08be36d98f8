"""Translation of errors of the `kfp` client into errors of coachworks, with the way out."""

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.http_failures import TRANSIENT_STATUSES

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"
TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 — the name of kfp's variable for a file
# Not 500: KFP answers so to a pipeline with a field that it does not know.
_TRANSIENT_STATUSES = TRANSIENT_STATUSES - {500}
WAY_OUT = (
    f"Set {ENDPOINT_VARIABLE} to the address of its API (`kubectl -n kubeflow port-forward svc/ml-pipeline 8888` gives "
    "http://localhost:8888), or set KUBECONFIG to a cluster that runs it."
)


@contextlib.contextmanager
def translated(host: str) -> Iterator[None]:
    """Translate errors of the client; discard its output.

    Args:
        host: Address of the API.

    Raises:
        TransientError: no response, or the server is temporarily unable to respond.
        InvalidConfigError: the server refuses our credentials.
        NotFoundError: the object does not exist.
    """
    import urllib3
    from kfp_server_api import ApiException

    where = f"Kubeflow Pipelines at {host}" if host else "Kubeflow Pipelines"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ApiException as err:
        raise _translation(where, err) from err
    except (urllib3.exceptions.HTTPError, TimeoutError, ConnectionError) as err:
        raise TransientError(f"{where} does not answer. {WAY_OUT}") from err


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
        return NotFoundError(f"{where} does not have the object: {message}")
    if err.status in _TRANSIENT_STATUSES:
        return TransientError(f"{where} is busy ({err.status}): {message}. Try again.")
    if "unknown field" in message:
        return CoachworksError(
            f"{where} does not know a field that kfp-kubernetes compiles: {message}. It is older than the SDK that "
            "compiled the pipeline: upgrade it."
        )
    return CoachworksError(f"{where} refused ({err.status}): {message}")
