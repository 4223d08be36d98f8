"""Charts: the confusion matrix and the reliability diagram."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.calibration import Reliability
from components.fonts import drawable, families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_DPI = 110
_COUNTED = 30  # with more labels the numbers in the cells are not legible
_LONGEST = 28  # characters of a label on an axis
_INK, _BLUE, _GREY = "#1c2733", "#2b6cb0", "#b8c2cc"


def draw_confusion(confusion: Array, labels: Sequence[str], path: Path) -> None:
    """Write the confusion matrix (K, K) as PNG; a cell's colour is its share of the true label's photos."""
    count = len(labels)
    length_in = min(3.2 + 0.34 * count, 22.0)
    figure = _figure(length_in, length_in)
    axes = figure.subplots()
    totals = confusion.sum(1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if count <= 12 else 7 if count <= 45 else 5.5
    names = [shortened(drawable(label)) for label in labels]
    fonts = families(names)
    rotation, side = (90, "center") if count > 6 else (30, "right")
    axes.set_xticks(range(count), names, rotation=rotation, ha=side, fontfamily=fonts)
    axes.set_yticks(range(count), names, fontfamily=fonts)
    axes.tick_params(labelsize=size, length=0, colors=_INK)
    axes.set_xlabel("answered", color=_INK)
    axes.set_ylabel("true", color=_INK)
    if count <= _COUNTED:
        for (row, column), photos in np.ndenumerate(confusion):
            if photos:
                dark = shares[row, column] > 0.55
                axes.text(
                    column, row, str(photos), ha="center", va="center", size=size, color="white" if dark else _INK
                )
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    figure.savefig(path)


def draw_reliability(before: Reliability, after: Reliability, path: Path) -> None:
    """Write the reliability diagram as PNG: accuracy by confidence, and below it the number of photos per bin."""
    figure = _figure(4.8, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="perfect")
    for result, color, name in ((before, _GREY, "before"), (after, _BLUE, "after")):
        known = result.photos > 0
        upper.plot(
            result.confidence[known],
            result.accuracy[known],
            color=color,
            marker="o",
            markersize=4,
            label=f"{name} calibration, error {result.expected_error:.3f}",
        )
    width = float(after.edges[1])
    lower.bar(after.edges[:-1] + width / 2, after.photos, width=width * 0.9, color=_BLUE)
    upper.set(ylabel="share of right answers", ylim=(-0.02, 1.02))
    upper.legend(fontsize=8, frameon=False, loc="lower right")
    lower.set(xlabel="confidence", ylabel="photos", xlim=(0, 1))
    for axes in (upper, lower):
        axes.tick_params(labelsize=8, colors=_INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path)


def shortened(label: str, longest: int = _LONGEST) -> str:
    """Return the label, shortened with an ellipsis; a `$` is escaped, as matplotlib would begin a formula there."""
    text = label if len(label) <= longest else f"{label[: longest - 1]}…"
    return text.replace("$", r"\$")


def _figure(width_in: float, height_in: float) -> "Figure":
    """Create a figure without pyplot, whose global state would have to be closed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
