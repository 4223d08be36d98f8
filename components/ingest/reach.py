"""Which sources a cluster's pods can reach: those in buckets."""

from coachworks.fleet.model import Fleet, Source
from components.ingest.places import in_bucket


def local_sources(fleet: Fleet) -> list[Source]:
    """The sources whose photos or table lie on this machine, where no pod can reach them."""
    return [
        source
        for source in fleet.spec.sources
        if not in_bucket(source.photos) or (source.table is not None and not in_bucket(source.table))
    ]
