"""Invented cars: a body type drawn in metres, a paint, wheels, a name, a number plate."""

import random
from dataclasses import dataclass

from coachworks.cli.showroom.canvas import Points, smooth
from coachworks.cli.showroom.paint import PAINTS, Colour, from_hsv, paint

# Outlines from the front bumper over the roof to the rear bumper: x from the front, y from the ground, in metres.
_NOSE = [(0.08, 0.28), (0.0, 0.45), (0.02, 0.62), (0.12, 0.76)]


@dataclass(frozen=True)
class Shape:
    """A body type.

    Attributes:
        outline: Front bumper, bonnet, roof, tail, rear bumper.
        glass: The side windows as one area.
        pillars: Positions of the pillars between windows, at the ends of doors.
        windscreen: Foot of the windscreen, where a bonnet is hinged.
        hinge: Position of the hinge of the boot lid.
        wheel: Radius of the wheels.
        axles: Front and rear.
        width: Of the whole body, seen from its ends.
    """

    outline: tuple[tuple[float, float], ...]
    glass: tuple[tuple[float, float], ...]
    pillars: tuple[float, ...]
    windscreen: tuple[float, float]
    hinge: tuple[float, float]
    wheel: float
    axles: tuple[float, float]
    width: float

    @property
    def length(self) -> float:
        """Length over all, in metres."""
        return max(x for x, _ in self.outline)

    @property
    def height(self) -> float:
        """Height over all, in metres."""
        return max(y for _, y in self.outline)

    @property
    def clearance(self) -> float:
        """Height of the sill, in metres."""
        return self.outline[0][1]


# fmt: off
SHAPES = {
    "hatchback": Shape(
        (*_NOSE, (0.5, 0.90), (1.05, 1.0), (1.2, 1.04), (1.75, 1.40), (2.0, 1.47), (2.7, 1.49), (3.2, 1.45),
         (3.66, 1.18), (3.9, 0.98), (3.96, 0.88), (3.97, 0.65), (3.94, 0.45), (3.88, 0.28)),
        ((1.34, 1.04), (1.82, 1.37), (2.05, 1.42), (2.7, 1.43), (3.08, 1.40), (3.42, 1.18), (3.4, 1.07)),
        (2.45,), (1.12, 1.02), (3.2, 1.45), 0.31, (0.78, 3.22), 1.76,
    ),
    "saloon": Shape(
        (*_NOSE, (0.6, 0.88), (1.35, 0.97), (1.5, 1.0), (2.08, 1.35), (2.3, 1.42), (2.9, 1.44), (3.3, 1.40),
         (3.9, 1.12), (4.05, 1.06), (4.6, 1.03), (4.72, 0.98), (4.74, 0.7), (4.70, 0.45), (4.62, 0.28)),
        ((1.64, 1.0), (2.13, 1.32), (2.35, 1.37), (2.9, 1.39), (3.25, 1.355), (3.72, 1.10), (3.7, 1.04)),
        (2.68,), (1.42, 0.99), (3.95, 1.10), 0.32, (0.86, 3.74), 1.80,
    ),
    "estate": Shape(
        (*_NOSE, (0.6, 0.88), (1.35, 0.97), (1.5, 1.0), (2.08, 1.37), (2.3, 1.44), (3.0, 1.47), (4.0, 1.45),
         (4.3, 1.41), (4.62, 1.05), (4.76, 0.92), (4.78, 0.7), (4.74, 0.45), (4.66, 0.28)),
        ((1.64, 1.0), (2.13, 1.34), (2.35, 1.39), (3.0, 1.42), (3.95, 1.40), (4.15, 1.37), (4.42, 1.08), (4.38, 1.04)),
        (2.68, 3.56), (1.42, 0.99), (4.25, 1.42), 0.32, (0.86, 3.76), 1.80,
    ),
    "suv": Shape(
        ((0.06, 0.42), (0.0, 0.6), (0.01, 0.86), (0.1, 1.01), (0.5, 1.08), (1.1, 1.13), (1.25, 1.17), (1.72, 1.6),
         (1.98, 1.71), (2.8, 1.75), (3.75, 1.71), (4.08, 1.64), (4.4, 1.22), (4.52, 1.08), (4.56, 0.85), (4.53, 0.58),
         (4.46, 0.42)),
        ((1.40, 1.18), (1.80, 1.56), (2.03, 1.64), (2.8, 1.67), (3.7, 1.64), (3.88, 1.60), (4.14, 1.26), (4.1, 1.20)),
        (2.45, 3.36), (1.18, 1.15), (4.0, 1.66), 0.39, (0.84, 3.62), 1.90,
    ),
    "van": Shape(
        ((0.06, 0.32), (0.0, 0.5), (0.01, 0.76), (0.09, 0.94), (0.42, 1.05), (0.72, 1.14), (0.84, 1.18), (1.42, 1.86),
         (1.68, 1.99), (2.4, 2.04), (4.76, 2.04), (5.0, 1.99), (5.06, 1.6), (5.08, 0.8), (5.05, 0.46), (4.98, 0.32)),
        ((1.02, 1.22), (1.52, 1.80), (1.76, 1.88), (2.34, 1.89), (2.36, 1.22)),
        (2.42,), (0.78, 1.16), (4.98, 2.0), 0.34, (0.84, 4.06), 1.96,
    ),
    "pickup": Shape(
        ((0.06, 0.48), (0.0, 0.64), (0.01, 0.92), (0.1, 1.06), (0.5, 1.12), (1.32, 1.17), (1.48, 1.2), (1.95, 1.63),
         (2.18, 1.74), (2.75, 1.77), (3.18, 1.73), (3.34, 1.62), (3.42, 1.22), (3.42, 1.16), (3.44, 1.15), (5.16, 1.14),
         (5.25, 1.10), (5.28, 0.8), (5.25, 0.62), (5.18, 0.48)),
        ((1.62, 1.21), (2.02, 1.59), (2.22, 1.66), (2.75, 1.69), (3.1, 1.66), (3.24, 1.56), (3.28, 1.21)),
        (2.5,), (1.4, 1.18), (5.2, 1.13), 0.40, (0.92, 4.22), 1.92,
    ),
}
# fmt: on
# Slightly exaggerated, so that small photos show the difference.
_CARICATURE = {"hatchback": (0.92, 1.06), "saloon": (1.03, 0.98), "suv": (1.0, 1.06), "van": (1.0, 1.08)}

_MAKES = ("ALBA", "CORVO", "DELFIN", "LUMEN", "NORVA", "ORIX", "PINTO", "SOLARA", "TERRA", "VELO", "ZEPHYR", "KESTREL")
_TRIMS = ("", "1.6", "2.0", "GT", "LX", "EV", "4x4", "TDI", "hybrid", "S")


@dataclass(frozen=True)
class Car:
    """One car.

    Attributes:
        body: Its body type, a key of `SHAPES`.
        colour: Its paint, a key of `PAINTS`.
        paint: The very shade.
        shape: Its own measures.
        spokes: Spokes of its wheels.
        rim: Colour of the rims.
        dark_glass: Share of black in the side windows.
        make: The name on its boot.
        trim: Text beside the name.
        plate: Its registration.
        seats: Colour of the upholstery.
        plain_lamps: True if its lamps are round.
    """

    body: str
    colour: str
    paint: Colour
    shape: Shape
    spokes: int
    rim: Colour
    dark_glass: float
    make: str
    trim: str
    plate: str
    seats: Colour
    plain_lamps: bool

    def outline(self) -> Points:
        """The body's upper edge as a smooth curve, shape (N, 2), metres."""
        return smooth(self.shape.outline, rounds=2, closed=False)


def build_car(body: str, colour: str, rng: random.Random) -> Car:
    """A car of a body type and a paint; everything else at random."""
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    plate = f"{rng.choice(letters)}{rng.choice(letters)} {rng.randint(100, 9999)} {rng.choice(letters)}"
    upholstery = rng.choice([(0.08, 0.1, 0.16), (0.08, 0.28, 0.72), (0.6, 0.06, 0.45), (0.04, 0.62, 0.36)])
    return Car(
        body=body,
        colour=colour,
        paint=paint(colour, rng),
        shape=_stretched(body, rng.uniform(0.96, 1.04), rng.uniform(0.97, 1.03)),
        spokes=rng.choice([5, 6, 7, 8, 10]),
        rim=from_hsv(0.6, 0.04, rng.choice([0.32, 0.62, 0.78, 0.86])),
        dark_glass=rng.uniform(0.35, 0.75),
        make=rng.choice(_MAKES),
        trim=rng.choice(_TRIMS),
        plate=plate,
        seats=from_hsv(*upholstery),
        plain_lamps=rng.random() < 0.35,
    )


def body_types() -> list[str]:
    """The body types, in the order of the fleet file."""
    return list(SHAPES)


def paints() -> list[str]:
    """The paints, in the order of the fleet file."""
    return list(PAINTS)


def _stretched(body: str, across: float, up: float) -> Shape:
    shape = SHAPES[body]
    across, up = across * _CARICATURE.get(body, (1, 1))[0], up * _CARICATURE.get(body, (1, 1))[1]

    def point(place: tuple[float, float]) -> tuple[float, float]:
        return place[0] * across, place[1] * up

    return Shape(
        outline=tuple(map(point, shape.outline)),
        glass=tuple(map(point, shape.glass)),
        pillars=tuple(x * across for x in shape.pillars),
        windscreen=point(shape.windscreen),
        hinge=point(shape.hinge),
        wheel=shape.wheel * (across + up) / 2,
        axles=(shape.axles[0] * across, shape.axles[1] * across),
        width=shape.width,
    )
