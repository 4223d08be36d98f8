"""`coachworks serve`: the packaged models over HTTP."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option
from coachworks.errors import NotFoundError

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.result import Result
    from coachworks.store import Store
    from components.package.report import PackageReport

_LAST_LINES = 15


@click.command()
@fleet_option
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 means all.")
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path),
    help="Folder with a file per API key; requests need one.  [default: the variable COACHWORKS_API_KEYS]",
)
def serve(file: Path, port: int, host: str, api_keys: Path | None) -> None:
    """Serve the latest package of the fleet with BentoML, until Ctrl-C.

    Writes one line of JSON per request to standard output, and everything else to standard error.

    \b
    Examples:
      coachworks serve
      coachworks serve --port 8080
      coachworks serve --host 0.0.0.0 --api-keys keys/
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.child_server import ServerError, check_port, sigterm_as_interrupt
    from serving.api_keys import KEYS_VARIABLE, api_keys_of
    from serving.bento_server import bento_server

    console = Console(stderr=True)
    check_port(host, port)
    folder = api_keys or os.environ.get(KEYS_VARIABLE)
    keys = {KEYS_VARIABLE: str(Path(folder).absolute())} if folder else {}
    api_keys_of(keys)  # refuses a folder without keys before the start
    store, result = _package(file)
    bento = store.fetch(_bento_key(result, file))
    try:
        with sigterm_as_interrupt(), ExitStack() as stack:
            with console.status("Starting the server"):
                server = stack.enter_context(bento_server(bento, host=host, port=port, environment=keys))
            _show_address(console, server.url, result)
            status = server.process.wait()
    except KeyboardInterrupt:
        console.print("Stopped.")
        return
    raise ServerError(f"the server ended with status {status}. Its output says why.")


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """Serve the latest package of the fleet that `file` describes on a free port; gives the address.

    The output of the server is shown only if it does not start.

    Raises:
        ServerError: the server did not start; the message ends with its last lines of output.
    """
    import tempfile

    from coachworks.child_server import ServerError, free_port, last_lines
    from serving.bento_server import bento_server

    store, result = _package(file)
    bento = store.fetch(_bento_key(result, file))
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        try:
            server = stack.enter_context(bento_server(bento, host="127.0.0.1", port=free_port(), log=log))
        except ServerError as err:
            raise ServerError("\n".join([str(err), *last_lines(log, _LAST_LINES)])) from err
        yield server.url


def _package(file: Path) -> "tuple[Store, Result[PackageReport]]":
    from coachworks.cli.packaged import latest_package
    from serving.bundle import load_bundle

    store, result = latest_package(file)
    load_bundle(store.fetch(_bento_key(result, file)) / "src" / "bundle")  # reports damage before the start
    return store, result


def _bento_key(result: "Result[PackageReport]", file: Path) -> str:
    import json

    try:
        path: str = json.loads(result.file("bento.json").read_text("utf-8"))["path"]
    except NotFoundError as err:
        raise NotFoundError(
            f"the latest package has a bundle but no bento. Build one: `coachworks package -f {file} --build-bento`."
        ) from err
    return path


def _show_address(console: "Console", url: str, result: "Result[PackageReport]") -> None:
    from coachworks.cli.console import say

    skills = result.report.skills
    say(console, f"[bold]{result.report.bento}[/bold] answers at [bold]{url}[/bold]. Ctrl-C stops it.")
    for skill, entry in skills.items():
        say(console, f"  {skill:<24} version {entry.version}, {entry.kind}")
    for skill, reason in result.report.left_out.items():
        say(console, f"  {skill:<24} not in the package: {reason}", style="yellow", markup=False)
    console.print("Try it:")
    say(console, f"  coachworks predict --url {url} PHOTO…")
    say(console, f"  curl -F photo=@photo.jpg {url}/v1/predict")
    say(console, f"  curl -F photo=@photo.jpg '{url}/v1/predict?skills={next(iter(skills))}'")
    say(console, f"  {url}/openapi.json describes the API, {url}/metrics holds the metrics.")
