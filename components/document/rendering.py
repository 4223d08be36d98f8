"""Rendering of a document as HTML, LaTeX, Typst and Markdown.

The templates contain only layout. Everything that they print is escaped automatically for their language; intended
markup comes from the filters in this module.
"""

import base64
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.document import escaping
from components.document.content import Bar, Column, Document, Shade, Table
from components.document.drawing import bar_svg, share, span, tint

TEMPLATES = Path(__file__).parent / "templates"
_SAFE_NAME = re.compile(r"[a-z0-9][-a-z0-9./]*")
_MIME = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


def html(document: Document, folder: Path) -> str:
    """Render a self-contained HTML page, with its style and pictures inside.

    Args:
        document: Content of the page.
        folder: Folder of the pictures.
    """
    return _render("page.html.j2", document, data_uri=partial(_data_uri, folder))


def latex(document: Document) -> str:
    """Render LaTeX source for pdflatex, with pictures relative to its folder."""
    return _render("page.tex.j2", document)


def typst(document: Document) -> str:
    """Render Typst source, with pictures relative to the root of the project."""
    return _render("page.typ.j2", document)


def markdown(title: str, text: str, table: Table) -> str:
    """Render a title, a sentence and a table as Markdown."""
    return str(_environment("md").get_template("summary.md.j2").render(title=title, text=text, table=table))


def _render(template: str, document: Document, **more: Any) -> str:
    language = template.split(".")[1]
    return str(_environment(language).get_template(template).render(document=document, **more))


@cache
def _environment(language: str) -> Environment:
    escapes: dict[str, Callable[[str], str]] = {
        "html": escaping.plain,  # followed by Jinja's own escaping
        "tex": escaping.latex,
        "typ": escaping.typst,
        "md": escaping.markdown,
    }
    delimiters = {} if language == "html" else _DELIMITERS
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=partial(_finalize, escapes[language], language == "html"),
        **delimiters,  # type: ignore[arg-type]
    )
    environment.filters.update(
        bar_svg=bar_svg,
        tint=_tint,
        number=_number,
        name=_name,
        clipped=lambda value: escaping.trusted(f"{share(value):.4f}"),
        span=_span,
        fractions=_fractions,
        spaced=lambda text: text.replace(" ", "\u00a0"),
    )
    return environment


_DELIMITERS = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


def _finalize(escape: Callable[[str], str], autoescaped: bool, value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    escaped = escape(str(value))
    return escaped if autoescaped else escaping.trusted(escaped)


def _number(value: float, digits: int = 4) -> Markup:
    return escaping.trusted(f"{float(value):.{digits}f}")


def _name(value: str) -> Markup:
    """Return a file name, anchor or tone unescaped, after checking that it contains no markup of any language."""
    if value and not _SAFE_NAME.fullmatch(value):
        raise ValueError(f"name must match {_SAFE_NAME.pattern}; got {value!r}")
    return escaping.trusted(value)


def _tint(cell: Shade) -> Markup:
    return escaping.trusted(",".join(map(str, tint(cell))))


def _span(bar: Bar) -> list[Markup] | None:
    ends = span(bar)
    return None if ends is None else [_number(end) for end in ends]


def _fractions(columns: Sequence[Column]) -> list[Markup]:
    total = sum(column.share for column in columns)
    return [_number(column.share / total) for column in columns]


def _data_uri(folder: Path, file: str) -> Markup:
    path = folder / file
    return escaping.trusted(f"data:{_MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}")
