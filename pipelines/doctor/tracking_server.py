"""Whether the MLflow server answers, knows us, understands our client, and takes what a step gives it."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.tracking import PATIENCE_VARIABLE, Tracking, open_client, tracking_of, translated
from pipelines.doctor.findings import Checks, Finding, Verdict, found, skipped

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS, ACCESS, VERSION, RUNS, ARTIFACTS = (
    "MLflow: address",
    "MLflow: access",
    "MLflow: version",
    "MLflow: runs",
    "MLflow: artifacts",
)
# No patience: who asks what is reachable wants to know now.
_HASTE = {PATIENCE_VARIABLE: "0", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def check_tracking(fleet: Fleet, *, write: bool) -> list[Finding]:
    """Look at the fleet's tracking server.

    Args:
        fleet: The fleet.
        write: Whether to make a run with an artifact, which is removed again: steps need to, submitting does not.
    """
    checks, then = Checks(), (VERSION, RUNS, ARTIFACTS) if write else (VERSION,)
    with _hasty(), checks.about(ADDRESS, then=(ACCESS, *then)):
        tracking = tracking_of(fleet)
        if tracking.database is not None:
            checks.add(skipped(ADDRESS, "embedded: no server"))
            return checks.findings
        checks.add(found(ADDRESS, tracking.uri))
        with checks.about(ACCESS, then=then), translated(tracking):
            client = open_client(tracking)
            client.search_experiments(max_results=1)
            checks.add(found(ACCESS, "answers and lets us in"))
            with checks.about(VERSION):
                checks.add(_version(tracking))
            if write:
                _write(checks, client, tracking, f"{fleet.name}-doctor")
    return checks.findings


def _version(tracking: Tracking) -> Finding:
    """Compare the server's version with the client's: a server of an older release lacks what the client asks for."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from mlflow.version import VERSION as CLIENT

    credentials = get_default_host_creds(tracking.uri)  # type: ignore[no-untyped-call]
    answer = http_request(credentials, "/version", "GET", max_retries=0, timeout=10)  # type: ignore[no-untyped-call]
    server = str(answer.text).strip()
    if answer.status_code != 200 or not re.fullmatch(r"\d+\.\d+[\w.+-]*", server):
        return found(
            VERSION,
            "not told",
            f"the server does not tell its version; the client is {CLIENT}. Compare them by hand.",
            Verdict.WARNING,
        )
    ours, theirs = (tuple(int(part) for part in text.split(".")[:2]) for text in (CLIENT, server))
    if theirs[0] != ours[0]:
        return found(
            VERSION,
            server,
            f"the server is {server}, the client {CLIENT}: use a server of version {ours[0]}, charts/platform has one.",
        )
    if theirs < ours:
        return found(
            VERSION,
            server,
            f"the server is {server}, older than the client {CLIENT}: upgrade it to {ours[0]}.{ours[1]} or later.",
            Verdict.WARNING,
        )
    return found(VERSION, server)


def _write(checks: Checks, client: "MlflowClient", tracking: Tracking, experiment: str) -> None:
    with checks.about(RUNS, then=(ARTIFACTS,)), translated(tracking):
        known = client.get_experiment_by_name(experiment)
        if known is None:
            experiment_id = client.create_experiment(experiment)
        else:
            experiment_id = known.experiment_id
            if known.lifecycle_stage == "deleted":
                client.restore_experiment(experiment_id)
        try:
            run = client.create_run(experiment_id, run_name="doctor").info.run_id
            checks.add(found(RUNS, "may be made"))
            try:
                with checks.about(ARTIFACTS), translated(tracking):
                    _keep_artifact(client, run, tracking.uri)
                    checks.add(found(ARTIFACTS, "written and read"))
            finally:
                client.delete_run(run)
        finally:
            client.delete_experiment(experiment_id)


def _keep_artifact(client: "MlflowClient", run: str, server: str) -> None:
    """Upload a few bytes as an artifact, read them back and remove them."""
    from mlflow.artifacts import download_artifacts
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    where = client.get_run(run).info.artifact_uri
    if not where.startswith("mlflow-artifacts:"):
        raise CoachworksError(
            f"artifacts go to {where.partition(':')[0]}: directly, not through the server, so that each pod needs its "
            "own way there. Start the server with `--artifacts-destination` and without `--default-artifact-root`."
        )
    data = uuid.uuid4().hex
    client.log_text(run, data, "doctor.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(run_id=run, artifact_path="doctor.txt", dst_path=folder, tracking_uri=server)
        if Path(path).read_text("utf-8") != data:
            raise CoachworksError(
                "an artifact came back changed. Look at what stands between here and the server: a proxy that rewrites?"
            )
    kept = get_artifact_repository(where, tracking_uri=server)
    kept.delete_artifacts("doctor.txt")  # type: ignore[no-untyped-call]


@contextmanager
def _hasty() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _HASTE}
    os.environ.update(_HASTE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
