"""The figures of split in the dashboard of Kubeflow Pipelines."""

from components.dashboard import Figures
from components.split.report import SplitReport


def numbers(report: SplitReport) -> Figures:
    """Yield the figures of a report by name."""
    for split, count in report.photos.items():
        yield f"photos: {split}", count
    for split, count in report.sets.items():
        yield f"sets: {split}", count
    yield "sets: known from before", report.remembered
    yield "conflicts", len(report.conflicts)
