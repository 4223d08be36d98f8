"""The figures of augment in the dashboard of Kubeflow Pipelines."""

from components.augment.report import AugmentReport
from components.dashboard import Figures


def numbers(report: AugmentReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "views per training photo", report.views
    yield "transforms", len(report.transforms)
    yield "photos shown", report.photos_shown
