"""Tracking of runs and models in MLflow: a server, or an SQLite database in the store's folder."""

from coachworks.tracking.address import URI_VARIABLE, Tracking, is_of_this_machine, tracking_of
from coachworks.tracking.client import TrackingClient, open_client, retry_transient, server_environment
from coachworks.tracking.failures import ConcurrentChangeError, translated
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
from coachworks.tracking.retry import PATIENCE_VARIABLE, Retries

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PATIENCE_VARIABLE",
    "URI_VARIABLE",
    "VIEW",
    "ConcurrentChangeError",
    "Retries",
    "Tracking",
    "TrackingClient",
    "comparison_page",
    "experiment_page",
    "is_of_this_machine",
    "model_page",
    "open_client",
    "retry_transient",
    "run_page",
    "server_environment",
    "tracking_of",
    "translated",
    "version_page",
]
