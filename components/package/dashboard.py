"""The figures of package in the dashboard of Kubeflow Pipelines."""

from components.dashboard import Figures
from components.package.report import PackageReport


def numbers(report: PackageReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "skills: in the bundle", len(report.skills)
    yield "skills: left out", len(report.left_out)
    yield "bundle: bytes", report.bytes
    yield "bundle: bentos built", float(report.bento is not None)
