"""The fleet's framing of its photos: which box of each the backbone sees."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from coachworks.fleet.model import Fleet
from coachworks.photos import Box, parse_box
from components.embed.backbones import find_backbone
from components.embed.source import Source

if TYPE_CHECKING:
    import pandas as pd

BOXES = "box_xyxy"  # column of the catalogue; ingest has left out what is no box of its photo


def framed_backbone(name: str, fleet: Fleet) -> Source:
    """Find a backbone that sees photos as the fleet frames them; arguments and errors as `find_backbone`.

    Cropping is part of its preprocessing, and so of its digest: heads of cropped and of whole photos share no pass.
    """
    framing = fleet.spec.framing
    source = find_backbone(name)
    return source if framing.crop == "none" else replace(source, crop=framing.crop, margin=framing.margin)


def boxes_of(catalogue: "pd.DataFrame", fleet: Fleet) -> Mapping[str, Box]:
    """Return the box of each photo that is cropped, by the photo's id."""
    if fleet.spec.framing.crop == "none" or BOXES not in catalogue:
        return {}
    known = catalogue[catalogue[BOXES].notna()]
    return {str(photo): parse_box(box) for photo, box in zip(known["photo_id"], known[BOXES], strict=True)}
