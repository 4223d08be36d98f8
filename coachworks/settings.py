"""The environment, read in one place: what third parties are told, and what child processes inherit."""

import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from coachworks.cpu_limit import thread_limits

# Telemetry off, network look-ups off, chatter off. A user's own setting wins.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "BENTOML_DO_NOT_TRACK": "True",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's own; it is on otherwise, and keeps a database in the cache folder
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg",
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait slow each other twentyfold on busy cores
}
# Artifacts go through MLflow's server. It would send clients to S3 itself otherwise, at the address that it knows S3
# under, which need not be one that a laptop or a pod reaches.
THROUGH_MLFLOW = {
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


def apply_quiet_settings() -> None:
    """Set `QUIET` and the like in this process, before any of the libraries is imported."""
    for name, value in (QUIET | THROUGH_MLFLOW | thread_limits()).items():
        os.environ.setdefault(name, value)


# Where a pod finds the Secrets and ConfigMaps that tell it of the store, MLflow and credentials: a folder each.
MOUNTED = Path("/etc/coachworks/environment")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def take_mounted_environment(folder: Path = MOUNTED, environ: MutableMapping[str, str] = os.environ) -> None:
    """Every entry of the mounted Secrets and ConfigMaps becomes a variable, unless it is set already.

    The first folder by name wins. Entries that are not named like a variable are left alone.
    """
    for file in sorted(folder.glob("*/*")):
        if _VARIABLE.fullmatch(file.name) and file.is_file():
            environ.setdefault(file.name, file.read_text("utf-8"))


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a child process: ours, `QUIET` and the like filled in, its output unbuffered."""
    return {**QUIET, **THROUGH_MLFLOW, **thread_limits(), "PYTHONUNBUFFERED": "1", **environ}
