"""`coachworks serve`: the packaged models over HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option
from coachworks.errors import NotFoundError

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.results import Result
    from coachworks.store import Store

_LAST_LINES = 15


@click.command(short_help="Serve the packaged models over HTTP.")
@fleet_option
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
def serve(file: Path, port: int, host: str) -> None:
    """Serve the latest package of the fleet with BentoML, until Ctrl-C.

    Every request leaves a line of JSON on standard output; everything else goes to standard error.

    \b
    Examples:
      coachworks serve
      coachworks serve --port 8080
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.child_server import ServerError, check_port, sigterm_as_interrupt
    from serving.bento_server import bento_server

    console = Console(stderr=True)
    check_port(host, port)
    store, result = _package(file)
    bento = store.fetch(_bento_key(result, file))
    try:
        with sigterm_as_interrupt(), ExitStack() as stack:
            with console.status("Starting the server"):
                server = stack.enter_context(bento_server(bento, host=host, port=port))
            _say(console, server.url, result)
            status = server.process.wait()
    except KeyboardInterrupt:
        console.print("Stopped.")
        return
    raise ServerError(f"the server ended with status {status}. Its output says why.")


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """The latest package of the fleet that `file` describes, served on a free port: the server's address.

    What the server says is kept out of sight, unless it does not start.

    Raises:
        ServerError: the server did not start; the message ends with what it said.
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


def _package(file: Path) -> "tuple[Store, Result]":
    from coachworks.cli.packaged import latest_package
    from serving.bundle import load_bundle

    store, result = latest_package(file)
    load_bundle(store.fetch(_bento_key(result, file)) / "src" / "bundle")  # damage is reported here, in one sentence
    return store, result


def _bento_key(result: "Result", file: Path) -> str:
    import json

    try:
        path: str = json.loads(result.file("bento.json").read_text("utf-8"))["path"]
    except NotFoundError as err:
        raise NotFoundError(
            f"the latest package has a bundle but no bento. Build one: `coachworks package -f {file} --build-bento`."
        ) from err
    return path


def _say(console: "Console", url: str, result: "Result") -> None:
    skills = result.report["skills"]
    console.print(f"[bold]{result.report['bento']}[/bold] answers at [bold]{url}[/bold]. Ctrl-C stops it.")
    for skill, entry in skills.items():
        console.print(f"  {skill:<24} version {entry['version']}, {entry['kind']}", highlight=False)
    console.print("Ask it:")
    console.print(f"  coachworks predict --url {url} PHOTO…", highlight=False, soft_wrap=True)
    console.print(f"  curl -F photo=@photo.jpg {url}/v1/predict", highlight=False, soft_wrap=True)
    console.print(
        f"  curl -F photo=@photo.jpg '{url}/v1/predict?skills={next(iter(skills))}'", highlight=False, soft_wrap=True
    )
    console.print(f"  {url}/openapi.json describes it, {url}/metrics counts.", highlight=False, soft_wrap=True)
