"""Reach of a cluster's pods: sources in buckets."""

from coachworks.fleet.model import Fleet, Source
from components.ingest.places import in_bucket


def local_sources(fleet: Fleet) -> list[Source]:
    """Return the sources with photos or a table on this machine, which pods cannot reach."""
    return [
        source
        for source in fleet.spec.sources
        if not in_bucket(source.photos) or (source.table is not None and not in_bucket(source.table))
    ]
