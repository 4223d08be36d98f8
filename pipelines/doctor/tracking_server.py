"""Checks of the MLflow server: address, access, version, and writing runs and artifacts."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.tracking import PATIENCE_VARIABLE, Tracking, TrackingClient, open_client, tracking_of, translated
from pipelines.doctor.findings import Checks, Finding, failed, ok, skipped, warning

ADDRESS, LINKS, ACCESS, VERSION, RUNS, ARTIFACTS = (
    "MLflow: address",
    "MLflow: links",
    "MLflow: access",
    "MLflow: version",
    "MLflow: runs",
    "MLflow: artifacts",
)
# One attempt with a short timeout: people wait for the answer of a check.
_ONE_ATTEMPT = {PATIENCE_VARIABLE: "0", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def check_tracking(fleet: Fleet, *, write: bool) -> list[Finding]:
    """Check the fleet's tracking server.

    Args:
        fleet: The fleet.
        write: Whether to create a run with an artifact, which is removed again: steps need to, submitting does not.
    """
    checks, dependents = Checks(), (VERSION, RUNS, ARTIFACTS) if write else (VERSION,)
    with _one_attempt(), checks.checking(ADDRESS, dependents=(ACCESS, *dependents)):
        tracking = tracking_of(fleet)
        if tracking.database is not None:
            checks.add(skipped(ADDRESS, "embedded: no server"))
            return checks.findings
        checks.add(ok(ADDRESS, tracking.uri))
        if not write:  # links are opened by people, not by pods
            checks.add(_check_links(tracking))
        with checks.checking(ACCESS, dependents=dependents), translated(tracking):
            client = open_client(tracking)
            client.search_experiments(max_results=1)
            checks.add(ok(ACCESS, "granted"))
            with checks.checking(VERSION):
                checks.add(_check_version(tracking))
            if write:
                _check_writing(checks, client, tracking, f"{fleet.name}-doctor")
    return checks.findings


def _check_links(tracking: Tracking) -> Finding:
    """Check that the address with which links begin is not one that leads each reader to their own machine."""
    if tracking.shared:
        return ok(LINKS, tracking.public)
    return warning(
        LINKS,
        "of this machine only",
        f"pages of runs and models have no links to MLflow, because {tracking.public} leads each reader to "
        "their own machine. Name an address that all can open as `spec.tracking`; machines that reach MLflow at "
        "another one set MLFLOW_TRACKING_URI.",
    )


def _check_version(tracking: Tracking) -> Finding:
    """Compare the versions of server and client: an older server lacks features that the client uses."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from mlflow.version import VERSION as CLIENT

    credentials = get_default_host_creds(tracking.uri)  # type: ignore[no-untyped-call]
    response = http_request(credentials, "/version", "GET", max_retries=0, timeout=10)  # type: ignore[no-untyped-call]
    server = str(response.text).strip()
    if response.status_code != 200 or not re.fullmatch(r"\d+\.\d+[\w.+-]*", server):
        return warning(
            VERSION,
            "unknown",
            f"the server does not report its version; the client is {CLIENT}. Compare them by hand.",
        )
    ours, theirs = (tuple(int(part) for part in text.split(".")[:2]) for text in (CLIENT, server))
    if theirs[0] != ours[0]:
        return failed(
            VERSION,
            server,
            f"the server is {server}, the client {CLIENT}: use a server of version {ours[0]}, charts/platform has one.",
        )
    if theirs < ours:
        return warning(
            VERSION,
            server,
            f"the server is {server}, older than the client {CLIENT}: upgrade it to {ours[0]}.{ours[1]} or later.",
        )
    return ok(VERSION, server)


def _check_writing(checks: Checks, client: TrackingClient, tracking: Tracking, experiment: str) -> None:
    with checks.checking(RUNS, dependents=(ARTIFACTS,)), translated(tracking):
        existing = client.get_experiment_by_name(experiment)
        if existing is None:
            experiment_id = client.create_experiment(experiment)
        else:
            experiment_id = existing.experiment_id
            if existing.lifecycle_stage == "deleted":
                client.restore_experiment(experiment_id)
        try:
            run = client.create_run(experiment_id, run_name="doctor").info.run_id
            checks.add(ok(RUNS, "can be created"))
            try:
                with checks.checking(ARTIFACTS), translated(tracking):
                    _check_artifact(client, run, tracking.uri)
                    checks.add(ok(ARTIFACTS, "written and read"))
            finally:
                client.delete_run(run)
        finally:
            client.delete_experiment(experiment_id)


def _check_artifact(client: TrackingClient, run: str, server: str) -> None:
    """Upload a few bytes as an artifact, read them back and remove them."""
    from mlflow.artifacts import download_artifacts
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    uri = client.get_run(run).info.artifact_uri
    if not uri.startswith("mlflow-artifacts:"):
        raise CoachworksError(
            f"artifacts go directly to {uri.partition(':')[0]}:, not through the server, so that each pod needs "
            "access to it. Start the server with `--artifacts-destination` and without `--default-artifact-root`."
        )
    data = uuid.uuid4().hex
    client.log_text(run, data, "doctor.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(run_id=run, artifact_path="doctor.txt", dst_path=folder, tracking_uri=server)
        if Path(path).read_text("utf-8") != data:
            raise CoachworksError(
                "an artifact came back changed. Does a proxy between this machine and the server rewrite responses?"
            )
    repository = get_artifact_repository(uri, tracking_uri=server)
    repository.delete_artifacts("doctor.txt")  # type: ignore[no-untyped-call]


@contextmanager
def _one_attempt() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ONE_ATTEMPT}
    os.environ.update(_ONE_ATTEMPT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
