"""The dashboard's page of confusion matrices, one per skill, the worst skill first.

Matrices are HTML tables, so that a page of many skills stays small; the result's own `page.html` also has
the charts and the right answers.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TEMPLATE = Path(__file__).parent / "matrices.html.jinja"
_OPEN = 6  # matrices shown unfolded, besides those of failed skills
_PICTURES_BYTES = 1_500_000  # total size of the contact sheets on the page
_DARK = 0.55  # share of a row from which the figures are white
_PALEST = 0.14  # a single photo among many must be visible
_PAIRS = 3  # confusions listed in words

Report = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Cell of a matrix: photos, strength of the colour in [0, 1], tooltip, CSS classes."""

    photos: int
    shade: float
    tip: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """Row of a matrix: a true label, its cells by answer, its photos, recall and precision."""

    label: str
    cells: Sequence[Cell]
    photos: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One skill on the page.

    Attributes:
        name: The skill.
        anchor: Id of its element on the page.
        report: Its part of evaluate's report.
        lines: Its confusion matrix.
        pairs: Its most frequent confusions: true label, answer, photos.
        mistakes: Contact sheet of its mistakes as a `data:` URI, or None.
        shown: True if its matrix is unfolded.
    """

    name: str
    anchor: str
    report: Report
    lines: Sequence[Line]
    pairs: Sequence[tuple[str, str, int]]
    mistakes: str | None
    shown: bool


def worst_first(skills: Mapping[str, Report]) -> list[str]:
    """Names of the evaluated skills, by increasing balanced accuracy."""
    judged = [name for name, skill in skills.items() if skill["winner"]]
    return sorted(judged, key=lambda name: (skills[name]["balanced_accuracy"]["value"], name))


def render(
    skills: Mapping[str, Report],
    *,
    fleet: str,
    confidence: float,
    sheet: Callable[[str], Path | None],
    places: Sequence[str],
) -> str:
    """Render the page as self-contained HTML.

    Args:
        skills: Evaluate's report, by skill.
        fleet: Name of the fleet.
        confidence: Confidence of the intervals.
        sheet: Contact sheet of a skill's mistakes; called for the worst skills until the page has its maximum size.
        places: Paths of evaluate's own pages, for people.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = _number
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    return template.render(
        fleet=fleet,
        panels=list(_panels(skills, sheet)),
        dropped={name: skill for name, skill in skills.items() if not skill["winner"]},
        confidence=confidence,
        places=places,
    )


def _panels(skills: Mapping[str, Report], sheet: Callable[[str], Path | None]) -> Iterator[Panel]:
    room = _PICTURES_BYTES
    for rank, name in enumerate(worst_first(skills)):
        skill = skills[name]
        picture = sheet(name) if skill["mistakes"] and room > 0 else None
        room -= picture.stat().st_size if picture else 0
        yield Panel(
            name=name,
            anchor=f"skill-{rank}",
            report=skill,
            lines=list(_lines(skill)),
            pairs=_confused(skill),
            mistakes=_data_uri(picture) if picture and room >= 0 else None,
            shown=rank < _OPEN or skill["status"] == "failed",
        )


def _data_uri(picture: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _lines(skill: Report) -> Iterator[Line]:
    labels: Sequence[str] = skill["labels"]
    for row, (label, counts) in enumerate(zip(labels, skill["confusion"], strict=True)):
        total = sum(counts)
        measured = skill["per_label"][label]
        yield Line(
            label=label,
            cells=[
                _cell(label, answer, photos, photos / total if total else 0.0, right=row == column)
                for column, (answer, photos) in enumerate(zip(labels, counts, strict=True))
            ],
            photos=total,
            recall=measured["recall"]["value"],
            precision=measured["precision"]["value"],
        )


def _cell(label: str, answer: str, photos: int, share: float, *, right: bool) -> Cell:
    kind = ("right" if right else "wrong") + (" dark" if share > _DARK else "")
    tip = f"{label}, answered {answer}: {photos}, {100 * share:.0f} %"
    return Cell(photos=photos, shade=round(_PALEST + (1 - _PALEST) * share, 3), tip=tip, kind=kind)


def _confused(skill: Report) -> list[tuple[str, str, int]]:
    """The most frequent confusions."""
    labels: Sequence[str] = skill["labels"]
    pairs = [
        (label, answer, int(photos))
        for label, counts in zip(labels, skill["confusion"], strict=True)
        for answer, photos in zip(labels, counts, strict=True)
        if label != answer and photos
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))[:_PAIRS]


def _number(value: float | None) -> str:
    """Format a share with three digits, or a dash where it is not known."""
    return "–" if value is None else f"{value:.3f}"
