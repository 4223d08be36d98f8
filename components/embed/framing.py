"""The fleet's framing of its photos: which box of each the backbone sees."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from coachworks.fleet.framing import Framing
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
    return framed(find_backbone(name), fleet)


def framed(source: Source, fleet: Fleet) -> Source:
    """Return a backbone that sees photos as the fleet frames them, whatever it saw before."""
    framing = fleet.spec.framing
    crop, margin = ("", 0.0) if framing.crop == "none" else (framing.crop, framing.margin)
    return replace(source, crop=crop, margin=margin)


def other_framings(fleet: Fleet, catalogue: "pd.DataFrame") -> dict[str, Fleet]:
    """Return the fleet with each framing that its tables allow and that is not its own, by what that does."""
    if BOXES not in catalogue or not catalogue[BOXES].notna().any():
        return {}
    own = fleet.spec.framing
    if own.crop == "box":
        return {"whole photos": _with_framing(fleet, Framing(margin=own.margin))}
    return {"crop to the box": _with_framing(fleet, Framing(crop="box", margin=own.margin))}


def _with_framing(fleet: Fleet, framing: Framing) -> Fleet:
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"framing": framing})})


def boxes_of(catalogue: "pd.DataFrame", fleet: Fleet) -> Mapping[str, Box]:
    """Return the box of each photo that is cropped, by the photo's id."""
    if fleet.spec.framing.crop == "none" or BOXES not in catalogue:
        return {}
    known = catalogue[catalogue[BOXES].notna()]
    return {str(photo): parse_box(box) for photo, box in zip(known["photo_id"], known[BOXES], strict=True)}
