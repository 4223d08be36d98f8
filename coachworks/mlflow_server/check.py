"""A check of a running MLflow server with the requests that a pipeline makes; `helm test` runs it."""

import tempfile
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from coachworks.errors import CoachworksError

EXPERIMENT = "platform-check"


class CheckError(CoachworksError):
    """MLflow's server accepts requests without credentials, or returns other data than was logged."""


def check(tracking_uri: str) -> None:
    """Log a run with a metric and an artifact, read both back, and delete the run.

    Raises:
        CheckError: the server accepts requests without credentials, or returns other data than was logged.
    """
    check_authentication(tracking_uri)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    run = client.create_run(experiment_id).info.run_id
    try:
        client.log_metric(run, "answer", 42.0)
        text = uuid.uuid4().hex
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "check.txt")
            file.write_text(text, "utf-8")
            client.log_artifact(run, str(file))
            back = Path(client.download_artifacts(run, "check.txt", str(Path(folder).resolve()))).read_text("utf-8")
        metric = client.get_run(run).data.metrics.get("answer")
        if metric != 42.0 or back != text:
            raise CheckError(f"MLflow must return what was logged; got {metric!r} and {back!r}")
    finally:
        client.delete_run(run)


def check_authentication(tracking_uri: str) -> None:
    """Check that a request without credentials is refused."""
    url = f"{tracking_uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the address is the administrator's
            status = answer.status
    except urllib.error.HTTPError as err:
        status = err.code
    if status != 401:
        raise CheckError(f"MLflow must refuse requests without credentials with 401; it answered {status}")
