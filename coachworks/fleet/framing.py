"""The part of the fleet file that says which part of a photo the backbone sees."""

from typing import Literal

from pydantic import Field

from coachworks.fleet.field_types import Fraction, Part


class Framing(Part):
    """The part of each photo that the backbone sees."""

    crop: Literal["none", "box"] = Field(
        "none",
        description="`box`: crop photos to the box in the column `box_xyxy` of their table, x1,y1,x2,y2 in pixels of "
        "the upright photo; a photo without one is seen whole.",
    )
    upright: Literal["exif", "table"] = Field(
        "exif",
        description="`table`: turn photos, beyond what their EXIF data says, by the degrees clockwise in the column "
        "`rotation_degrees` of their table: 0, 90, 180 or 270.",
    )
    margin: Fraction = Field(
        0.0, description="Share of the box's width and height that is added on each side, as far as the photo goes."
    )
