"""The toolkit: transforms by a plain name and one or two numbers, each an entry of a policy like any other.

Most are a transform of Albumentations with settings that suit photos of things; `copying` has those that it lacks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.errors import InvalidConfigError
from coachworks.wording import did_you_mean

_REFLECT = 4  # OpenCV's border that mirrors the photo, so that no black corners appear
Entry = dict[str, Any]


@dataclass(frozen=True)
class Named:
    """A transform of the toolkit.

    Attributes:
        summary: One line on what it does.
        defaults: Its arguments with their defaults, beside `p`, the share of views that it changes.
        largest: Largest value of each argument; the smallest is 0.
        entry: Returns the transform that does it, and its arguments.
    """

    summary: str
    defaults: Mapping[str, float]
    largest: Mapping[str, float]
    entry: Callable[[Mapping[str, float]], tuple[str, Entry]]


def _border(sign: int) -> Callable[[Mapping[str, float]], tuple[str, Entry]]:
    """Return the entry that adds (1) or removes (-1) a border; half of the percentage goes to each side."""
    return lambda a: ("CropAndPad", {"percent": sign * a["percent"] / 200, "border_mode": _REFLECT})


def _rotation(a: Mapping[str, float]) -> tuple[str, Entry]:
    return "Rotate", {"limit": [-a["degrees"], a["degrees"]], "border_mode": _REFLECT}


def _occlusion(a: Mapping[str, float]) -> tuple[str, Entry]:
    side = [a["percent"] / 200, a["percent"] / 100]
    return "CoarseDropout", {
        "num_holes_range": [1, 1],
        "hole_height_range": side,
        "hole_width_range": side,
        "fill": 127,
    }


def _colours(a: Mapping[str, float]) -> tuple[str, Entry]:
    limits = {"hue_shift_limit": a["hue"], "sat_shift_limit": a["saturation"], "val_shift_limit": a["value"]}
    return "HueSaturationValue", {name: [-limit, limit] for name, limit in limits.items()}


TOOLKIT: dict[str, Named] = {
    "flip-left-right": Named("mirrors left and right", {}, {}, lambda _: ("HorizontalFlip", {})),
    "flip-up-down": Named("turns the photo upside down, mirrored", {}, {}, lambda _: ("VerticalFlip", {})),
    "rotation": Named("rotates by up to `degrees` either way", {"degrees": 15}, {"degrees": 180}, _rotation),
    "crop-smaller": Named(
        "makes the crop box smaller: `percent` % of width and height are cut off, half on each side",
        {"percent": 20}, {"percent": 80}, _border(-1),
    ),
    "crop-larger": Named(
        "makes the crop box larger: `percent` % of width and height are added, half on each side, by reflection",
        {"percent": 20}, {"percent": 100}, _border(1),
    ),
    "box-jitter": Named(
        "moves each side of the box to which a photo is cropped by up to `percent` % of its width or height",
        {"percent": 10}, {"percent": 40}, lambda a: ("BoxJitter", dict(a)),
    ),
    "occlusion": Named(
        "covers a grey rectangle, each side half of `percent` % to `percent` % of the photo's",
        {"percent": 40}, {"percent": 90}, _occlusion,
    ),
    "hue-saturation-value": Named(
        "shifts hue (in units of 2 degrees), saturation and value (of 255) by up to so much",
        {"hue": 8, "saturation": 30, "value": 25}, {"hue": 90, "saturation": 255, "value": 255}, _colours,
    ),
    "copy-out": Named(
        "copies a square of `percent` % of the shorter side from another training photo to a random place",
        {"percent": 40}, {"percent": 100}, lambda a: ("CopyOut", dict(a)),
    ),
    "copy-pairing": Named(
        "averages with another training photo in `paired` % of these views, copies a square of it in the others",
        {"percent": 40, "paired": 50}, {"percent": 100, "paired": 100}, lambda a: ("CopyPairing", dict(a)),
    ),
}  # fmt: skip


def resolved(name: str, arguments: Mapping[str, Any]) -> tuple[str, Entry]:
    """Return the transform behind a name of the toolkit and its arguments; any other name as it is.

    Raises:
        InvalidConfigError: the toolkit's transform has no such argument, or a value is out of range.
    """
    named = TOOLKIT.get(name)
    if named is None:
        return name, dict(arguments)
    values: dict[str, float] = {**named.defaults, "p": 0.5}
    largest = {**named.largest, "p": 1}
    for argument, value in arguments.items():
        if argument not in values:
            raise InvalidConfigError(
                f"the transform {name!r} has no argument {argument!r}; it has: {', '.join(sorted(values))}."
                f"{did_you_mean(argument, values)}"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= largest[argument]:
            raise InvalidConfigError(
                f"{argument} of the transform {name!r} must be a number in [0, {largest[argument]}]; got {value!r}"
            )
        values[argument] = value
    probability = values.pop("p")
    kind, entry = named.entry(values)
    return kind, {**entry, "p": probability}
