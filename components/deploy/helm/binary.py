"""Path and version of the command `helm`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from coachworks.errors import InvalidConfigError

HELM_VARIABLE = "COACHWORKS_HELM"
_MINIMUM = (3, 14)
_WAY_OUT = f"Install Helm 3.17 or later (https://helm.sh/docs/intro/install), or let {HELM_VARIABLE} name its command."


def find_helm(environ: Mapping[str, str] = os.environ) -> str:
    """Find the command: COACHWORKS_HELM, else `helm` on PATH, else beside the Python interpreter.

    Raises:
        InvalidConfigError: helm is not installed.
    """
    if named := environ.get(HELM_VARIABLE):
        command = shutil.which(named, path=environ.get("PATH"))
        if command is None:
            raise InvalidConfigError(f"{HELM_VARIABLE} must name the command helm; got {named!r}. {_WAY_OUT}")
        return command
    places = os.pathsep.join((environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    command = shutil.which("helm", path=places)
    if command is None:
        raise InvalidConfigError(f"there is no helm on PATH. {_WAY_OUT}")
    return command


def helm_version(command: str) -> tuple[int, ...]:
    """Return the version of a helm command: (4, 1, 4).

    Raises:
        InvalidConfigError: it prints no version, or is too old.
    """
    try:
        done = subprocess.run(  # noqa: S603 — the user's own helm
            [command, "version", "--short"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=60,
        )
        output = done.stdout.strip() or done.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as err:
        output = str(err)
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", output)
    if numbers is None:
        raise InvalidConfigError(f"{command} does not print a version of helm: {output[:200]}. {_WAY_OUT}")
    version = tuple(map(int, numbers.groups()))
    if version < _MINIMUM:
        raise InvalidConfigError(
            f"helm must be {'.'.join(map(str, _MINIMUM))} or later; {command} is {output}. {_WAY_OUT}"
        )
    return version
