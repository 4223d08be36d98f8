"""`coachworks mlflow`: MLflow's pages on this fleet's tracking store."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option
from coachworks.errors import CoachworksError, TransientError

if TYPE_CHECKING:
    from coachworks.fleet.model import Fleet
    from coachworks.tracking import Tracking

_START_S = 120.0  # a loaded laptop needs half a minute
_STOP_S = 10.0


@click.command("mlflow", short_help="Open MLflow on the fleet's tracking store.")
@fleet_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port; where it is taken, a free one is chosen.")
def mlflow(file: Path, host: str, port: int) -> None:
    """Open MLflow on the fleet's tracking store: compare candidates, runs and versions in a browser.

    Ctrl-C stops it. Where the fleet records to a server, its address is printed and nothing is started.

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
        return
    if not tracking.database.exists():
        click.echo("Nothing is recorded yet: `coachworks run` fills these pages.", err=True)
        open_client(tracking)  # creates the tables while nobody else can
    chosen = _free_port(host, port)
    if chosen != port:
        click.echo(f"Port {port} is taken; using {chosen}.", err=True)
    try:
        with _server(tracking, host, chosen) as (process, address):
            _show_pages(fleet, address)
            status = process.wait()
    except KeyboardInterrupt:
        click.echo("MLflow is stopped.", err=True)
        return
    raise CoachworksError(f"MLflow ended by itself (exit status {status}); its log is {_log_of(tracking)}")


def _free_port(host: str, wanted: int) -> int:
    """`wanted` if nobody listens there, else a port that the system finds."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError as err:
                raise CoachworksError(f"port {port} needs administrator rights; choose one from 1024 up") from err
            except socket.gaierror as err:
                raise CoachworksError(f"host must be an address of this machine; got {host!r}") from err
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CoachworksError(f"nothing can listen on {host!r}; it must be an address of this machine, such as 127.0.0.1")


@contextmanager
def _server(tracking: "Tracking", host: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running, healthy server of MLflow; gone afterwards, its workers too."""
    from coachworks.tracking import server_environment

    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 — compared, not bound
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking.uri]
    command += ["--artifacts-destination", str(tracking.artifacts), "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    previous = signal.signal(signal.SIGTERM, _interrupt)
    with _log_of(tracking).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 — our own interpreter, no shell
            command, stdout=log, stderr=log, env=server_environment(), start_new_session=True
        )
    try:
        _wait_until_healthy(process, address, _log_of(tracking))
        yield process, address
    finally:
        _stop(process)
        signal.signal(signal.SIGTERM, previous)


def _log_of(tracking: "Tracking") -> Path:
    assert tracking.database is not None  # noqa: S101 — only an embedded store is served
    return tracking.database.with_name("server.log")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait_until_healthy(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    click.echo("Starting MLflow …", err=True)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            told = log.read_text("utf-8", errors="replace").strip().splitlines()
            raise CoachworksError(f"MLflow did not start: {told[-1] if told else 'it said nothing'}. Its log is {log}.")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):  # noqa: S310 — an address we made
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise TransientError(f"MLflow did not answer within {_START_S:.0f} s; its log is {log}. Try again.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers: politely, then not."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, request)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _show_pages(fleet: "Fleet", address: str) -> None:
    """Print the address, and the pages worth a look."""
    from coachworks.tracking import experiment_page, model_page

    click.echo(f"MLflow is ready: {address}   (Ctrl-C stops it)")
    ids = _experiments(fleet, address)
    if not ids:
        return
    width = max(len(skill) for skill in ids)
    click.echo("\nRuns, with the candidates nested in them; tick some and press Compare:")
    for skill, experiment_id in ids.items():
        click.echo(f"  {skill:<{width}}  {address}{experiment_page(experiment_id)}")
    click.echo("\nVersions, champion and challenger:")
    for skill in ids:
        click.echo(f"  {skill:<{width}}  {address}{model_page(f'{fleet.name}.{skill}')}")


def _experiments(fleet: "Fleet", address: str) -> dict[str, str]:
    """Skill -> id of its experiment, as the server lists them."""
    question = {"max_results": 1000, "filter": f"name LIKE '{fleet.name}/%'"}
    request = urllib.request.Request(  # noqa: S310 — an address we made
        f"{address}/api/2.0/mlflow/experiments/search",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 — an address we made
        found = json.load(response).get("experiments", [])
    ids = {entry["name"].partition("/")[2]: entry["experiment_id"] for entry in found}
    return {skill: ids[skill] for skill in fleet.spec.skills if skill in ids}
