"""The command helm: where it is, and whether it is new enough."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from coachworks.errors import InvalidConfigError

HELM_VARIABLE = "COACHWORKS_HELM"
_LEAST = (3, 14)
_WAY_OUT = f"Install Helm 3.17 or later (https://helm.sh/docs/intro/install), or let {HELM_VARIABLE} name its command."


def find_helm(environ: Mapping[str, str] = os.environ) -> str:
    """The command: what COACHWORKS_HELM names, else `helm` on PATH, else beside Python's.

    Raises:
        InvalidConfigError: there is none.
    """
    if named := environ.get(HELM_VARIABLE):
        found = shutil.which(named, path=environ.get("PATH"))
        if found is None:
            raise InvalidConfigError(f"{HELM_VARIABLE} must name the command helm; got {named!r}. {_WAY_OUT}")
        return found
    places = os.pathsep.join((environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    found = shutil.which("helm", path=places)
    if found is None:
        raise InvalidConfigError(f"there is no helm on PATH. {_WAY_OUT}")
    return found


def helm_version(command: str) -> tuple[int, ...]:
    """Its version: (4, 1, 4).

    Raises:
        InvalidConfigError: it does not say, or is too old.
    """
    try:
        done = subprocess.run(  # noqa: S603 — the user's own helm
            [command, "version", "--short"], capture_output=True, text=True, check=False, timeout=60
        )
        told = done.stdout.strip() or done.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as err:
        told = str(err)
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", told)
    if numbers is None:
        raise InvalidConfigError(f"{command} does not say which helm it is: {told[:200]}. {_WAY_OUT}")
    version = tuple(map(int, numbers.groups()))
    if version < _LEAST:
        raise InvalidConfigError(f"helm must be {'.'.join(map(str, _LEAST))} or later; {command} is {told}. {_WAY_OUT}")
    return version
