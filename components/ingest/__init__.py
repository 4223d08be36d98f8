"""Ingest: from folders of photos and tables to the store, the catalogue, the votes and the labels."""

from coachworks.steps import Step
from components.ingest.config import IngestConfig

STEP = Step(
    name="ingest",
    summary="Take in the photos and tables that the fleet file names; set aside what is no usable photo.",
    config=IngestConfig,
)

__all__ = ["STEP", "IngestConfig"]
