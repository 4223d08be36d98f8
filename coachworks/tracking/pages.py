"""What things are called in MLflow, and the addresses of their pages."""

import json
from urllib.parse import quote

CHAMPION = "champion"  # the alias of the version that is served
CHALLENGER = "challenger"  # the alias of the version that wants to be
VIEW = "coachworks"  # the name of the view that an experiment's page opens with

_NAVIGATION = "workflowType=machine_learning"  # or the UI's menu speaks of prompts and agents


def experiment_page(experiment_id: str) -> str:
    """Address of an experiment's runs in MLflow's UI, relative to the server's."""
    return f"/#/experiments/{experiment_id}/runs?{_NAVIGATION}&viewStateShareKey={VIEW}"


def run_page(experiment_id: str, run_id: str) -> str:
    """Address of a run in MLflow's UI, relative to the server's."""
    return f"/#/experiments/{experiment_id}/runs/{run_id}?{_NAVIGATION}"


def comparison_page(experiment_id: str, run_ids: list[str]) -> str:
    """Address of the page that compares runs in MLflow's UI, relative to the server's."""
    runs, experiments = quote(json.dumps(run_ids)), quote(json.dumps([experiment_id]))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}&{_NAVIGATION}"


def model_page(model: str) -> str:
    """Address of a registered model in MLflow's UI, relative to the server's."""
    return f"/#/models/{quote(model)}?{_NAVIGATION}"


def version_page(model: str, version: str) -> str:
    """Address of a model version in MLflow's UI, relative to the server's."""
    return f"/#/models/{quote(model)}/versions/{version}?{_NAVIGATION}"
