"""The dashboard's page of skills: how every one came out, the worst first, each with its confusion matrix.

It draws the matrices as tables, so that many skills stay a light page; the result's own `page.html` has
the charts and the right answers too.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TEMPLATE = Path(__file__).parent / "matrices.html.jinja"
_OPEN = 6  # matrices shown unfolded; those of skills that failed always are
_PICTURES_BYTES = 1_500_000  # of all sheets of mistakes together
_DARK = 0.55  # share of a row from which white figures read better
_PALEST = 0.14  # a single photo among many must still be seen
_PAIRS = 3  # confusions told in words

Report = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a matrix: photos, how strong its colour is, what hovering tells, its classes."""

    photos: int
    shade: float
    tip: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a matrix: a true label, its cells by answer, its photos, and recall and precision."""

    label: str
    cells: Sequence[Cell]
    photos: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What the page shows of one skill.

    Attributes:
        name: The skill.
        anchor: Where the page shows it.
        report: Its part of evaluate's report.
        lines: Its confusion matrix.
        pairs: Its most frequent confusions: true label, answer, photos.
        mistakes: Its sheet of mistakes as `data:` address, or None.
        shown: Whether it is unfolded.
    """

    name: str
    anchor: str
    report: Report
    lines: Sequence[Line]
    pairs: Sequence[tuple[str, str, int]]
    mistakes: str | None
    shown: bool


def worst_first(skills: Mapping[str, Report]) -> list[str]:
    """The skills that were judged, by balanced accuracy, the lowest first."""
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
    """The page as HTML that needs nothing else.

    Args:
        skills: Evaluate's report, by skill.
        fleet: Name of the fleet.
        confidence: Confidence of the intervals.
        sheet: The sheet of a skill's mistakes; asked for of the worst skills, until the page is heavy enough.
        places: Where evaluate's own pages lie, for people.
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
        told = skill["per_label"][label]
        yield Line(
            label=label,
            cells=[
                _cell(label, answer, photos, photos / total if total else 0.0, right=row == column)
                for column, (answer, photos) in enumerate(zip(labels, counts, strict=True))
            ],
            photos=total,
            recall=told["recall"]["value"],
            precision=told["precision"]["value"],
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
    """A share with three digits; a dash where nothing is known."""
    return "–" if value is None else f"{value:.3f}"
