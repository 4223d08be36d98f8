"""The page of evaluate: every skill of the lane with its numbers and pictures, in one self-contained file."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.evaluate.report import EvaluateReport

_TEMPLATE = Path(__file__).parent / "page.html.jinja"


def write_page(report: EvaluateReport, folder: Path, *, fleet: str, confidence: float) -> None:
    """Write `page.html` into `folder`, from the report and the pictures in the same folder."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = _number
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    pictures = {skill: _pictures(folder / skill) for skill, verdict in report.skills.items() if verdict.winner}
    page = template.render(fleet=fleet, skills=report.skills, pictures=pictures, confidence=confidence)
    (folder / "page.html").write_text(page, "utf-8")


def _pictures(folder: Path) -> Mapping[str, str]:
    kinds = {".png": "image/png", ".jpg": "image/jpeg"}
    return {
        path.stem: f"data:{kinds[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
        for path in sorted(folder.iterdir())
        if path.suffix in kinds
    }


def _number(value: Any) -> str:
    """Format a share with three digits, or a dash where it is not known."""
    return "–" if value is None or value != value else f"{value:.3f}"  # NaN differs from itself
