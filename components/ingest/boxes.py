"""The columns `box_xyxy` and `rotation_degrees` of a source's table, checked against the photos."""

from collections.abc import Callable, Mapping
from typing import Any

from coachworks.photos import check_inside, parse_box, parse_turn

BOXES, TURNS = "box_xyxy", "rotation_degrees"


def with_checked_frame(
    attributes: Mapping[str, Any], width_px: int, height_px: int
) -> tuple[Mapping[str, Any], list[str]]:
    """Return a photo's attributes with its box and rotation as text, without those that are wrong; and the reasons.

    Args:
        attributes: Further columns of its table.
        width_px: Width of the photo, upright.
        height_px: Its height.
    """

    def box(value: Any) -> str:
        parsed = parse_box(value)
        check_inside(parsed, width_px, height_px)
        return str(parsed)

    readers: dict[str, Callable[[Any], str]] = {BOXES: box, TURNS: lambda value: str(parse_turn(value))}
    if not any(name.lower() in readers for name in attributes):
        return attributes, []
    checked, problems = {}, []
    for name, value in attributes.items():
        column = name.lower()
        if column not in readers:
            checked[name] = value
            continue
        try:
            checked[column] = readers[column](value)
        except ValueError as err:
            problems.append(f"{column}: {err}: left empty")
    return checked, problems
