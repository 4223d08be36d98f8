"""Jitter of the box to which a photo is cropped: other boxes for training, as people and detectors draw them."""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.augment.toolkit import albumentations

NAME = "BoxJitter"


@cache
def box_jitter() -> type[Any]:
    """Return the class of the transform: it keeps pixels, as the box moves before the photo is cropped."""
    base = albumentations().ImageOnlyTransform

    class BoxJitter(base):  # type: ignore[misc, valid-type]
        """Mark of a view whose box is moved; the photo's pixels stay."""

        def __init__(self, percent: float = 10, p: float = 0.5) -> None:
            super().__init__(p=p)
            self.percent = percent

        def apply(self, img: NDArray[np.uint8], **_: Any) -> NDArray[np.uint8]:
            return img

    return BoxJitter


def moved_sides(
    transforms: Sequence[Mapping[str, Any]], applied: Sequence[bool], seed: int
) -> tuple[float, float, float, float] | None:
    """Return by which share of its width or height each side of a view's box moves; None: the box stays.

    Args:
        transforms: The policy's transforms as Albumentations serialises them.
        applied: Whether each of them changes the view.
        seed: Seed of the view.
    """
    percents = [
        transform["percent"]
        for transform, used in zip(transforms, applied, strict=True)
        if used and transform["__class_fullname__"].rpartition(".")[2] == NAME
    ]
    if not percents:
        return None
    drawn, most = random.Random(f"box {seed}"), max(percents) / 100  # noqa: S311 — not for secrets
    left, top, right, bottom = (drawn.uniform(-most, most) for _ in range(4))
    return left, top, right, bottom
