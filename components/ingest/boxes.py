"""The column `box_xyxy` of a source's table: boxes of photos, checked against the photos."""

from collections.abc import Mapping
from typing import Any

from coachworks.photos import check_inside, parse_box

BOXES = "box_xyxy"


def with_checked_box(
    attributes: Mapping[str, Any], width_px: int, height_px: int
) -> tuple[Mapping[str, Any], str | None]:
    """Return a photo's attributes with its box as the text `x1,y1,x2,y2`, without a box that is wrong; and the reason.

    Args:
        attributes: Further columns of its table.
        width_px: Width of the photo, upright.
        height_px: Its height.
    """
    name = next((name for name in attributes if name.lower() == BOXES), None)
    if name is None:
        return attributes, None
    others = {other: value for other, value in attributes.items() if other != name}
    try:
        box = parse_box(attributes[name])
        check_inside(box, width_px, height_px)
    except ValueError as err:
        return others, f"{BOXES}: {err}: left empty"
    return {**others, BOXES: str(box)}, None
