"""The figures of ingest in the dashboard of Kubeflow Pipelines."""

from components.dashboard import Figures
from components.ingest.report import IngestReport


def numbers(report: IngestReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "photos", report.photos
    yield "photos: new", report.new_photos
    yield "photos: unlabelled", report.unlabelled
    yield "sets", report.sets
    yield "files: duplicates", report.duplicates
    yield "files: no photos", report.ignored
    yield "files: rejected", sum(report.rejected.values())
    for reason, count in report.rejected.items():
        yield f"files: rejected, {reason}", count
    yield "remarks", report.remarks_count
