"""The report of a comparison of backbones, and the recommendation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.embed.probing.timing import Cost


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval, of a bootstrap over sets."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A backbone's figures.

    Attributes:
        backbone: As the fleet file names it.
        input_px: Height and width of its input.
        dimensions: Numbers per photo of the feature group `last`.
        multiply_adds: Multiplications with an addition in one pass of its network, the same on every machine.
        megabytes: Size of its ONNX file.
        cost: Its time and memory on this machine.
        skills: Balanced accuracy of each skill, out of fold.
        mean: Mean of the skills' balanced accuracies.
        behind_best: Mean by which the most accurate backbone is ahead, with the interval of the paired differences.
        standard_error: Standard error of `behind_best`.
    """

    backbone: str
    input_px: int
    dimensions: int
    multiply_adds: int
    megabytes: float
    cost: Cost
    skills: Mapping[str, Interval]
    mean: Interval
    behind_best: Interval
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """Comparison of backbones.

    Attributes:
        photos: Photos in the sample.
        sets: Sets in the sample.
        folds: Folds.
        backbones: Figures of each backbone, that of the fewest multiply-adds first.
        recommended: The backbone to choose.
        why: The reason, in words.
        left_out: Skills that were not compared, each with the reason.
    """

    photos: int
    sets: int
    folds: int
    backbones: Sequence[Probed]
    recommended: str
    why: str
    left_out: Mapping[str, str]


def recommend(probed: Sequence[Probed]) -> tuple[str, str]:
    """Return the backbone of the fewest multiply-adds within one standard error of the most accurate, and the reason.

    Milliseconds do not count: they differ between machines, and on a busy one from minute to minute.

    Args:
        probed: The backbones, that of the fewest multiply-adds first.
    """
    best = max(probed, key=lambda each: each.mean.value)
    chosen = next(each for each in probed if each.behind_best.value <= each.standard_error)
    figures = f"{chosen.mean.value:.3f} balanced accuracy for {millions(chosen.multiply_adds)} multiply-adds a photo"
    if len(probed) == 1:
        return chosen.backbone, f"{chosen.backbone} is the only backbone compared: {figures}"
    if chosen is best:
        cheaper = "and no cheaper one comes within one standard error" if best is not probed[0] else "and the cheapest"
        return best.backbone, f"{best.backbone} is the most accurate, {figures}, {cheaper}"
    return chosen.backbone, (
        f"{chosen.backbone} is the cheapest within one standard error of the most accurate, {best.backbone}: "
        f"{figures}; {best.backbone} is ahead by {chosen.behind_best.value:.3f} ± {chosen.standard_error:.3f}"
    )


def millions(multiply_adds: int) -> str:
    """Return a number of multiply-adds in words.

    >>> millions(385_871_456)
    '386 million'
    """
    return f"{multiply_adds / 1e6:,.0f} million"
