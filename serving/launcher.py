"""`python -m serving.launcher`, the command of the serving image: listens on a port per skill, then is `bentoml serve`.

What it serves is the bento that COACHWORKS_BENTO names, else the one mounted at `/bento`, else the service of this very
code.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from coachworks.errors import CoachworksError
from coachworks.settings import child_environment
from serving.draining import draining_file
from serving.pod_config import release_of
from serving.sockets import listening_variable, open_sockets

BENTO_VARIABLE = "COACHWORKS_BENTO"
SERVICE = "serving.service:Answers"
_MOUNTED = Path("/bento")


def what_to_serve(environ: Mapping[str, str] = os.environ, mounted: Path = _MOUNTED) -> str:
    """What `bentoml serve` is to serve."""
    return environ.get(BENTO_VARIABLE) or (str(mounted) if mounted.is_dir() else SERVICE)


def start(host: str, port: int, environ: Mapping[str, str] = os.environ) -> None:
    """Become `bentoml serve`.

    Args:
        host: IP address to listen on.
        port: The port that answers for all skills; the release says which ones answer for one.
        environ: The environment.

    Raises:
        DataError: the release cannot be read.
        InvalidConfigError: a port of a skill cannot be listened on.
    """
    release = release_of(environ)
    ports = release.ports if release else {}
    draining = draining_file(environ)
    if draining is not None:
        draining.unlink(missing_ok=True)  # /tmp outlives the container, which a failed probe may have ended
    sockets = open_sockets(host, ports)
    said = "".join(f", {skill} at {number}" for number, skill in ports.items())
    print(f"serving {what_to_serve(environ)} on {host}: all skills at {port}{said}", file=sys.stderr, flush=True)  # noqa: T201
    command = [sys.executable, "-m", "bentoml", "serve", what_to_serve(environ)]
    os.execve(  # noqa: S606 — our own interpreter, no shell
        sys.executable,
        [*command, "--host", host, "--port", str(port), "--quiet"],
        {**child_environment(environ), **listening_variable(sockets)},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and start."""
    parser = argparse.ArgumentParser(prog="python -m serving.launcher", description=__doc__)
    everywhere = "0.0.0.0"  # noqa: S104 — in a pod, behind a network policy
    parser.add_argument("--host", default=everywhere, help="IP address to listen on; default: %(default)s, all")
    parser.add_argument("--port", default=3000, type=int, help="the port that answers for all skills; %(default)s")
    options = parser.parse_args(arguments)
    try:
        start(options.host, options.port)
    except CoachworksError as err:
        sys.exit(f"Error: {err}")


if __name__ == "__main__":
    main()
