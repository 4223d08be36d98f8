"""ingest: from folders of photos and tables to the store, the catalogue, the votes and the labels."""

from coachworks.steps import Step
from components.ingest.config import IngestConfig

STEP = Step(
    name="ingest",
    title="Take in photos",
    summary="Take the sources' photos and tables into the store.",
    config=IngestConfig,
)

__all__ = ["STEP", "IngestConfig"]
