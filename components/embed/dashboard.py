"""The figures of embed in the dashboard of Kubeflow Pipelines."""

from components.dashboard import Figures
from components.embed.report import EmbedReport


def numbers(report: EmbedReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "photos", report.photos
    yield "photos: per second, views counted", report.photos_per_second
    yield "features: computed", report.computed
    yield "features: reused", report.reused
    yield "features: dimensions", sum(report.group_sizes.values())
    yield "features: bytes per photo and view", report.bytes_per_view
    yield "views per training photo", report.views
    yield "seconds: computing", report.seconds
