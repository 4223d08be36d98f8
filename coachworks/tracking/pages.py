"""Aliases in MLflow's registry, and addresses of pages of its UI relative to the server's."""

import json
from urllib.parse import quote

CHAMPION = "champion"  # alias of the best version of a model
CHALLENGER = "challenger"  # alias of a version that waits for promotion
VIEW = "coachworks"  # name of the saved view of an experiment's page

_NAVIGATION = "workflowType=machine_learning"  # without it the UI shows its menu for prompts and agents


def experiment_page(experiment_id: str) -> str:
    """Return the address of an experiment's runs."""
    return f"/#/experiments/{experiment_id}/runs?{_NAVIGATION}&viewStateShareKey={VIEW}"


def run_page(experiment_id: str, run_id: str) -> str:
    """Return the address of a run."""
    return f"/#/experiments/{experiment_id}/runs/{run_id}?{_NAVIGATION}"


def comparison_page(experiment_id: str, run_ids: list[str]) -> str:
    """Return the address of the page that compares runs."""
    runs, experiments = quote(json.dumps(run_ids)), quote(json.dumps([experiment_id]))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}&{_NAVIGATION}"


def model_page(model: str) -> str:
    """Return the address of a registered model."""
    return f"/#/models/{quote(model)}?{_NAVIGATION}"


def version_page(model: str, version: str) -> str:
    """Return the address of a model version."""
    return f"/#/models/{quote(model)}/versions/{version}?{_NAVIGATION}"
