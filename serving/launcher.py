"""`python -m serving.launcher`, the command of the serving image: open the skills' ports, then exec `bentoml serve`.

It serves the bento in COACHWORKS_BENTO, else the one mounted at `/bento`, else the service in this installation.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from coachworks.errors import CoachworksError
from coachworks.settings import child_environment
from serving.api_keys import api_keys_of
from serving.certificate import certificate_of
from serving.draining import draining_file
from serving.pod_config import pod_config_of
from serving.sockets import open_sockets, sockets_environment

BENTO_VARIABLE = "COACHWORKS_BENTO"
SERVICE = "serving.service:Answers"
_MOUNTED = Path("/bento")


def serve_target(environ: Mapping[str, str] = os.environ, mounted: Path = _MOUNTED) -> str:
    """Return the argument of `bentoml serve`: the folder of a bento, or this installation's service."""
    return environ.get(BENTO_VARIABLE) or (str(mounted) if mounted.is_dir() else SERVICE)


def exec_bentoml(host: str, port: int, environ: Mapping[str, str] = os.environ) -> None:
    """Open the skills' ports and replace this process by `bentoml serve`.

    Args:
        host: IP address to listen on.
        port: Port that serves all skills; the pod's configuration has the ports that serve one skill each.
        environ: The environment.

    Raises:
        DataError: the pod's configuration cannot be read, or there is no usable API key or certificate.
        InvalidConfigError: a skill's port is not free.
    """
    pod = pod_config_of(environ)
    api_keys_of(environ)  # refuses a folder without keys before the server starts, and the next line
    certificate_of(environ)  # a certificate that cannot be used
    ports = pod.ports if pod else {}
    draining = draining_file(environ)
    if draining is not None:
        draining.unlink(missing_ok=True)  # /tmp outlives a container that a failed probe restarted
    sockets = open_sockets(host, ports)
    target = serve_target(environ)
    addresses = "".join(f", {skill} at {number}" for number, skill in ports.items())
    print(f"serving {target} on {host}: all skills at {port}{addresses}", file=sys.stderr, flush=True)  # noqa: T201
    command = [sys.executable, "-m", "bentoml", "serve", target]
    os.execve(  # noqa: S606 — our own interpreter, no shell
        sys.executable,
        [*command, "--host", host, "--port", str(port), "--quiet"],
        {**child_environment(environ), **sockets_environment(sockets)},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and exec the server."""
    parser = argparse.ArgumentParser(prog="python -m serving.launcher", description=__doc__)
    everywhere = "0.0.0.0"  # noqa: S104 — in a pod, behind a network policy
    parser.add_argument("--host", default=everywhere, help="IP address to listen on; default: %(default)s, all")
    parser.add_argument("--port", default=3000, type=int, help="port that serves all skills; default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        exec_bentoml(options.host, options.port)
    except CoachworksError as err:
        sys.exit(f"Error: {err}")


if __name__ == "__main__":
    main()
