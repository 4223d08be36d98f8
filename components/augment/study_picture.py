"""Picture of a study: the gain by each transform, skill by skill, and the labels that it breaks."""

from pathlib import Path
from typing import Any, NamedTuple

from components.augment.study_report import Gain, SkillStudy, StudyReport, moves_text
from components.fonts import drawable, families

_COLOURS = {"keeps": "#5b6b7b", "shifts": "#b7791f", "breaks": "#c0392b", "exchanges": "#2b6cb0"}
_FRAMING, _INK = "#2f855a", "#1c2733"
_ROW_IN, _MARGIN_IN, _WIDTH_IN = 0.34, 1.1, 10.0
_LONGEST = 80  # characters of a remark


class _Bar(NamedTuple):
    name: str
    gain: Gain
    colour: str
    remark: str


def draw_study(report: StudyReport, path: Path) -> bool:
    """Draw the gains with two standard errors as a PNG; return whether there is anything to draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    studied = {name: skill for name, skill in report.skills.items() if skill.transforms}
    if not studied:
        return False
    heights = [(len(skill.transforms) + len(skill.framings)) * _ROW_IN + _MARGIN_IN for skill in studied.values()]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(studied), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, (name, skill) in zip(panels, studied.items(), strict=True):
        _panel(axes, name, skill)
    figure.savefig(path)
    return True


def _panel(axes: Any, name: str, skill: SkillStudy) -> None:
    """Draw one skill: a bar per transform and framing, and beside it what it does to the labels, or its accuracy."""
    bars = [
        _Bar(transform, study.gain, _COLOURS[study.verdict], f"{study.verdict} {moves_text(study)}".strip())
        for transform, study in skill.transforms.items()
    ]
    bars += [
        _Bar(framing, study.gain, _FRAMING, f"{study.balanced_accuracy:.3f}, {study.photos} photos change")
        for framing, study in skill.framings.items()
    ]
    gains, errors = (
        [factor * each for each in values]
        for factor, values in (
            (100, [bar.gain.value for bar in bars]),
            (200, [bar.gain.standard_error for bar in bars]),
        )
    )
    rows = range(len(bars))
    axes.barh(rows, gains, xerr=errors, color=[bar.colour for bar in bars], height=0.6, ecolor=_INK)
    remarks = [_shortened(bar.remark) for bar in bars]
    axes.set_yticks(rows, [bar.name for bar in bars])
    axes.invert_yaxis()
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.set_xlabel("gain in balanced accuracy, points, ± 2 standard errors", size=8, color=_INK)
    title = _shortened(f"{name}: {skill.balanced_accuracy:.3f} without, {skill.photos} photos")
    axes.set_title(title, loc="left", size=10, color=_INK, fontfamily=families([title]))
    fonts = families(remarks)
    for row, (bar, remark) in enumerate(zip(bars, remarks, strict=True)):
        axes.text(1.01, row, remark, transform=axes.get_yaxis_transform(), va="center", size=8,
                  color=bar.colour, fontfamily=fonts)  # fmt: skip
    axes.tick_params(labelsize=8, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _shortened(text: str) -> str:
    """Return text that can be drawn; a `$` is escaped, as matplotlib would begin a formula there."""
    text = drawable(text)
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…").replace("$", r"\$")
