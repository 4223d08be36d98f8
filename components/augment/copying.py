"""Transforms that take pixels from another training photo, which Albumentations does not have.

Philip May, "Improved image augmentation for convolutional neural networks by Copyout and CopyPairing" (2019, arXiv
1909.00390), after SamplePairing (Inoue, 2018, arXiv 1801.02929). The label stays that of the first photo. The paper
alternates between pairing and copying by epoch; views are made once here, so each draws one of the two.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.augment.toolkit import albumentations

DONOR = "donor"  # name of the other photo among the arguments of a composed policy
NAMES = ("CopyOut", "CopyPairing")
Pixels = NDArray[np.uint8]


@cache
def copying() -> dict[str, type[Any]]:
    """Return the classes of `NAMES`: transforms for Albumentations, which is imported by the call."""
    base = albumentations().ImageOnlyTransform

    class CopyOut(base):  # type: ignore[misc, valid-type]
        """Copy of a square of the donor to a random place."""

        def __init__(self, percent: float = 40, p: float = 0.5) -> None:
            super().__init__(p=p)
            self.percent = percent

        @property
        def targets_as_params(self) -> list[str]:
            return [DONOR]

        def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
            height, width = params["shape"][:2]
            side = round(min(height, width) * self.percent / 100)
            place = {
                name: self.py_random.randint(0, room) for name, room in (("top", height - side), ("left", width - side))
            }
            taken = {f"donor_{name}": self.py_random.random() for name in place}
            return {DONOR: data[DONOR], "side": side, "paired": False, **place, **taken}

        def apply(
            self,
            img: Pixels,
            donor: Pixels,
            side: int,
            paired: bool,
            top: int,
            left: int,
            donor_top: float,
            donor_left: float,
            **_: Any,
        ) -> Pixels:
            other = _resized(donor, img.shape[0], img.shape[1])
            if paired:
                return np.asarray((img.astype(np.uint16) + other + 1) // 2, np.uint8)
            row, column = (
                round(share * (length - side))
                for share, length in ((donor_top, img.shape[0]), (donor_left, img.shape[1]))
            )
            result = img.copy()
            result[top : top + side, left : left + side] = other[row : row + side, column : column + side]
            return result

    class CopyPairing(CopyOut):
        """Average of the photo and the donor, or copy of a square of it."""

        def __init__(self, percent: float = 40, paired: float = 50, p: float = 0.5) -> None:
            super().__init__(percent=percent, p=p)
            self.paired = paired

        def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
            drawn = self.py_random.random() * 100 < self.paired
            return {**super().get_params_dependent_on_data(params, data), "paired": drawn}

    return {"CopyOut": CopyOut, "CopyPairing": CopyPairing}


def _resized(donor: Pixels, height: int, width: int) -> Pixels:
    import cv2

    return np.asarray(cv2.resize(donor, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
