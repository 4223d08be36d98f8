"""Where runs and models are recorded: an MLflow server, or one embedded as SQLite beside the store's objects."""

from coachworks.tracking.address import URI_VARIABLE, Tracking, tracking_of
from coachworks.tracking.client import open_client, patiently, server_environment
from coachworks.tracking.failures import OvertakenError, translated
from coachworks.tracking.pages import (
    CHALLENGER,
    CHAMPION,
    VIEW,
    comparison_page,
    experiment_page,
    model_page,
    run_page,
    version_page,
)
from coachworks.tracking.patience import PATIENCE_VARIABLE, Patience

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PATIENCE_VARIABLE",
    "URI_VARIABLE",
    "VIEW",
    "OvertakenError",
    "Patience",
    "Tracking",
    "comparison_page",
    "experiment_page",
    "model_page",
    "open_client",
    "patiently",
    "run_page",
    "server_environment",
    "tracking_of",
    "translated",
    "version_page",
]
