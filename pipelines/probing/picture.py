"""The picture of a comparison: accuracy against time."""

from pathlib import Path

from components.embed.probing.report import ProbeReport
from components.fonts import drawable

_INK, _BLUE, _GREY = "#1c2733", "#2b6cb0", "#8794a3"


def draw(report: ProbeReport, path: Path) -> None:
    """Write the picture as PNG: each backbone's mean balanced accuracy with its interval, by its time per photo."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for each in report.backbones:
        chosen = each.backbone == report.recommended
        mean, time = each.mean, each.cost.ms_per_photo
        axes.errorbar(
            [time],
            [mean.value],
            yerr=[[mean.value - mean.low], [mean.high - mean.value]],
            fmt="o",
            capsize=4,
            color=_BLUE if chosen else _GREY,
        )
        text = drawable(each.backbone) + (" (recommended)" if chosen else "")
        axes.annotate(text, (time, mean.value), xytext=(8, 4), textcoords="offset points", color=_INK, size=9)
    axes.set_xlabel("milliseconds per photo on this machine", color=_INK)
    axes.set_ylabel("balanced accuracy, mean of the skills", color=_INK)
    axes.margins(x=0.35, y=0.15)
    axes.set_title(f"{report.photos} photos of {report.sets} sets, {report.folds} folds", color=_INK, size=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    figure.savefig(path)
