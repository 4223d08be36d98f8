"""`coachworks mlflow`: the MLflow UI on this fleet's tracking store."""

import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.child_server import (
    ServerError,
    ServerNotReadyError,
    child_server,
    free_port,
    http_status,
    last_lines,
    reachable,
    sigterm_as_interrupt,
)
from coachworks.cli.options import fleet_option
from coachworks.errors import CoachworksError, TransientError

if TYPE_CHECKING:
    import subprocess

    from coachworks.fleet.model import Fleet
    from coachworks.tracking import Tracking

_START_S = 120.0  # a loaded laptop needs half a minute
_STOP_S = 10.0


@click.command("mlflow")
@fleet_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on; if it is taken, a free one.")
def mlflow(file: Path, host: str, port: int) -> None:
    """Open MLflow on the fleet's tracking store: compare candidates, runs and versions in a browser.

    Ctrl-C stops it. If the fleet uses an MLflow server, prints its address and starts nothing.

    \b
    Examples:
      coachworks mlflow
      coachworks mlflow --port 8080
    """  # noqa: D301 — \b is click's mark
    from coachworks.fleet.reader import read_fleet
    from coachworks.tracking import open_client, tracking_of

    fleet = read_fleet(file)
    tracking = tracking_of(fleet)
    if tracking.database is None:
        click.echo(f"The fleet {fleet.name!r} records to {tracking.public}: open that address in a browser.")
        if not tracking.shared:
            click.echo(
                "It is an address of your own machine, so a port-forward has to run, for example "
                "`kubectl -n NAMESPACE port-forward service/platform-mlflow 5000:5000`."
            )
        return
    if not tracking.database.exists():
        click.echo("Nothing is recorded yet: `coachworks run` fills these pages.", err=True)
        open_client(tracking)  # creates the tables before the server does
    chosen = free_port(host, port)
    if chosen != port:
        click.echo(f"Port {port} is taken; using {chosen}.", err=True)
    try:
        with _server(tracking, host, chosen) as (process, address):
            show_pages(fleet, address)
            status = process.wait()
    except KeyboardInterrupt:
        click.echo("MLflow is stopped.", err=True)
        return
    raise CoachworksError(f"MLflow ended unexpectedly (exit status {status}); its log is {_log_of(tracking)}")


@contextmanager
def _server(tracking: "Tracking", host: str, port: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run MLflow's server on the tracking store; gone after the block, its workers too."""
    from coachworks.tracking import server_environment

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking.uri]
    command += ["--artifacts-destination", str(tracking.artifacts), "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    path = _log_of(tracking)
    click.echo("Starting MLflow …", err=True)
    with path.open("w+b") as log, ExitStack() as stack:
        stack.enter_context(sigterm_as_interrupt())
        server = child_server(
            command,
            ready=lambda: http_status(host, port, "/health") == 200,
            environment=server_environment(),
            log=log,
            start_timeout_s=_START_S,
            stop_timeout_s=_STOP_S,
            stop="group",  # `mlflow server` does not pass SIGTERM on to its workers
        )
        try:
            process = stack.enter_context(server)
        except ServerNotReadyError as err:
            raise TransientError(
                f"MLflow did not answer within {_START_S:.0f} s; its log is {path}. Try again."
            ) from err
        except ServerError as err:
            reason = "".join(last_lines(log, 1)) or "it wrote no reason"
            raise CoachworksError(f"MLflow did not start: {reason}. Its log is {path}.") from err
        yield process, f"http://{reachable(host)}:{port}"


def _log_of(tracking: "Tracking") -> Path:
    assert tracking.database is not None  # noqa: S101 — only an embedded store is served
    return tracking.database.with_name("server.log")


def show_pages(fleet: "Fleet", address: str) -> None:
    """Print the address, and those of the pages of each skill."""
    from coachworks.tracking import experiment_page, model_page
    from coachworks.tracking.registry import model_name

    click.echo(f"MLflow is ready: {address}   (Ctrl-C stops it)")
    ids = _experiments(fleet, address)
    if not ids:
        return
    width = max(len(skill) for skill in ids)
    click.echo("\nRuns, with the candidates nested in them; tick some and press Compare:")
    for skill, experiment_id in ids.items():
        click.echo(f"  {skill:<{width}}  {address}{experiment_page(experiment_id)}")
    click.echo("\nVersions, champion and challenger:")
    models = _models(fleet, address)
    for skill in ids:
        name = model_name(fleet, skill)
        page = f"{address}{model_page(name)}" if name in models else f"no model yet. {_why_no_model(fleet, skill)}"
        click.echo(f"  {skill:<{width}}  {page}")


def _why_no_model(fleet: "Fleet", skill: str) -> str:
    from coachworks.store import open_store
    from components.register.latest_outcome import why_not_registered

    return why_not_registered(open_store(fleet.spec.store), skill)


def _models(fleet: "Fleet", address: str) -> set[str]:
    """Return the names of the fleet's registered models."""
    query = urllib.parse.urlencode({"max_results": 1000, "filter": f"name LIKE '{fleet.name}.%'"})
    page = f"{address}/api/2.0/mlflow/registered-models/search?{query}"
    with urllib.request.urlopen(page, timeout=30) as response:  # noqa: S310 — an address we made
        return {model["name"] for model in json.load(response).get("registered_models", [])}


def _experiments(fleet: "Fleet", address: str) -> dict[str, str]:
    """Return the id of each skill's experiment, as the server lists them."""
    query = {"max_results": 1000, "filter": f"name LIKE '{fleet.name}/%'"}
    request = urllib.request.Request(  # noqa: S310 — an address we made
        f"{address}/api/2.0/mlflow/experiments/search",
        data=json.dumps(query).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 — an address we made
        experiments = json.load(response).get("experiments", [])
    ids = {entry["name"].partition("/")[2]: entry["experiment_id"] for entry in experiments}
    return {skill: ids[skill] for skill in fleet.spec.skills if skill in ids}
