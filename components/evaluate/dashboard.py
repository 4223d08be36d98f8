"""What the pipeline's dashboard shows of evaluate."""

import shutil
from typing import Any, Protocol

from coachworks.results import Result


class Metrics(Protocol):
    """KFP's artifact for numbers."""

    def log_metric(self, metric: str, value: float) -> None:
        """Show `value` under the name `metric`."""


class Page(Protocol):
    """KFP's artifact for a page: a file that the dashboard shows."""

    path: str


def show(result: Result, metrics: Metrics, page: Page) -> None:
    """Hand the balanced accuracy of every skill that was judged, and the page, to the dashboard."""
    skills: dict[str, Any] = result.report["skills"]
    for name, skill in skills.items():
        if skill["winner"]:
            metrics.log_metric(f"{name} balanced accuracy", skill["balanced_accuracy"]["value"])
    shutil.copyfile(result.path / "page.html", page.path)
