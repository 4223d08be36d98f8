"""Environment variables for third-party libraries and child processes, set in one place."""

import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from coachworks.cpu_limit import thread_limits

# No telemetry, no network look-ups, little output. Variables that the user has set win.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "BENTOML_DO_NOT_TRACK": "True",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # on by default in ONNX Runtime, with a database in the cache folder
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg",
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads slow each other down twentyfold on busy cores
}
# Artifacts go through MLflow's server. Otherwise it would send clients to S3, at its own address of S3, which a laptop
# or a pod may not reach.
THROUGH_MLFLOW = {
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


def apply_quiet_settings() -> None:
    """Set these variables in this process; call it before any of the libraries is imported."""
    for name, value in (QUIET | THROUGH_MLFLOW | thread_limits()).items():
        os.environ.setdefault(name, value)


# Folder in a pod with the mounted Secrets and ConfigMaps for the store, MLflow and credentials, a sub-folder each.
MOUNTED = Path("/etc/coachworks/environment")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def take_mounted_environment(folder: Path = MOUNTED, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set a variable for every entry of the mounted Secrets and ConfigMaps, unless it is set already.

    The first folder by name wins. Entries whose name is not a valid variable name are ignored.
    """
    for file in sorted(folder.glob("*/*")):
        if _VARIABLE.fullmatch(file.name) and file.is_file():
            environ.setdefault(file.name, file.read_text("utf-8"))


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a child process: this one, with the missing variables added, and unbuffered output."""
    return {**QUIET, **THROUGH_MLFLOW, **thread_limits(), "PYTHONUNBUFFERED": "1", **environ}
