"""The environment, read in one place: what third parties are told, and what child processes inherit."""

import os
from collections.abc import Mapping

from coachworks.cores import thread_limits

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


def apply_quiet_settings() -> None:
    """Set `QUIET` and the thread limits in this process, before any of the libraries is imported."""
    for name, value in (QUIET | thread_limits()).items():
        os.environ.setdefault(name, value)


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a child process: ours, `QUIET` and the thread limits filled in, its output unbuffered."""
    return {**QUIET, **thread_limits(), "PYTHONUNBUFFERED": "1", **environ}
