"""The fleet's framing of its photos: which box of each the backbone sees."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from coachworks.fleet.framing import Framing
from coachworks.fleet.model import Fleet
from coachworks.photos import WHOLE, Frame, parse_box, parse_turn
from components.embed.backbones import find_backbone
from components.embed.source import Source

if TYPE_CHECKING:
    import pandas as pd

BOXES, TURNS = "box_xyxy", "rotation_degrees"  # columns of the catalogue; ingest has left out what is wrong


def framed_backbone(name: str, fleet: Fleet) -> Source:
    """Find a backbone that sees photos as the fleet frames them; arguments and errors as `find_backbone`.

    The framing is part of its preprocessing, and so of its digest: heads of cropped and of whole photos share no pass.
    """
    return framed(find_backbone(name), fleet)


def framed(source: Source, fleet: Fleet) -> Source:
    """Return a backbone that sees photos as the fleet frames them, whatever it saw before."""
    framing = fleet.spec.framing
    crop, margin = ("", 0.0) if framing.crop == "none" else (framing.crop, framing.margin)
    return replace(source, crop=crop, margin=margin, upright="" if framing.upright == "exif" else framing.upright)


def is_plain(fleet: Fleet) -> bool:
    """Return whether the fleet sees every photo whole, as its EXIF data turns it."""
    return fleet.spec.framing.crop == "none" and fleet.spec.framing.upright == "exif"


def other_framings(fleet: Fleet, catalogue: "pd.DataFrame") -> dict[str, Fleet]:
    """Return the fleet with each framing that its tables allow and that is not its own, by what that does."""
    own = fleet.spec.framing
    others = {}
    if _has_values(catalogue, BOXES):
        name, crop = ("crop to the box", "box") if own.crop == "none" else ("whole photos", "none")
        others[name] = _with_framing(fleet, own.model_copy(update={"crop": crop}))
    if _has_values(catalogue, TURNS):
        name, upright = ("turn upright", "table") if own.upright == "exif" else ("turn by EXIF alone", "exif")
        others[name] = _with_framing(fleet, own.model_copy(update={"upright": upright}))
    return others


def _has_values(catalogue: "pd.DataFrame", column: str) -> bool:
    return column in catalogue and bool(catalogue[column].notna().any())


def _with_framing(fleet: Fleet, framing: Framing) -> Fleet:
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"framing": framing})})


def frames_of(catalogue: "pd.DataFrame", fleet: Fleet) -> Mapping[str, Frame]:
    """Return the frame of each photo that is not seen whole and as its EXIF data turns it, by the photo's id."""
    framing = fleet.spec.framing
    boxes = _values(catalogue, BOXES) if framing.crop == "box" else {}
    turns = _values(catalogue, TURNS) if framing.upright == "table" else {}
    frames = {
        photo: Frame(parse_box(boxes[photo]) if photo in boxes else None, parse_turn(turns.get(photo, 0)))
        for photo in boxes | turns
    }
    return {photo: frame for photo, frame in frames.items() if frame != WHOLE}


def _values(catalogue: "pd.DataFrame", column: str) -> dict[str, Any]:
    if column not in catalogue:
        return {}
    known = catalogue[catalogue[column].notna()]
    return dict(zip(known["photo_id"].astype(str), known[column], strict=True))
