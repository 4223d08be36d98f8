"""From a document's content to HTML, LaTeX, Typst and Markdown.

The templates only lay out. Whatever they print is escaped for their language on its way out, without being asked
to; what is markup by intent comes from the filters here.
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
    """A page that stands alone: style and pictures are inside it.

    Args:
        document: Its content.
        folder: Where the pictures are.
    """
    return _render("page.html.j2", document, data_uri=partial(_data_uri, folder))


def latex(document: Document) -> str:
    """LaTeX source for pdflatex; pictures are read from the folder it is in."""
    return _render("page.tex.j2", document)


def latex_sets_all(document: Document) -> bool:
    """Whether pdflatex has type for every character of the document."""
    return "{[}U+" not in latex(document)


def typst(document: Document) -> str:
    """Typst source; pictures are read from the root of the project."""
    return _render("page.typ.j2", document)


def markdown(title: str, text: str, table: Table) -> str:
    """A title, a sentence and a table in Markdown."""
    return str(_environment("md").get_template("summary.md.j2").render(title=title, text=text, table=table))


def _render(template: str, document: Document, **more: Any) -> str:
    language = template.split(".")[1]
    return str(_environment(language).get_template(template).render(document=document, **more))


@cache
def _environment(language: str) -> Environment:
    escapes: dict[str, Callable[[str], str]] = {
        "html": escaping.plain,  # Jinja's own escaping follows
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
        sure=lambda value: escaping.trusted(f"{share(value):.4f}"),
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


def _finalize(escape: Callable[[str], str], again: bool, value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    escaped = escape(str(value))
    return escaped if again else escaping.trusted(escaped)


def _number(value: float, digits: int = 4) -> Markup:
    return escaping.trusted(f"{float(value):.{digits}f}")


def _name(value: str) -> Markup:
    """A name of ours (a file, an anchor, a tone) as it stands: it holds nothing that any language reads as markup."""
    if value and not _SAFE_NAME.fullmatch(value):
        raise ValueError(f"name must match {_SAFE_NAME.pattern}; got {value!r}")
    return escaping.trusted(value)


def _tint(cell: Shade) -> Markup:
    return escaping.trusted(",".join(map(str, tint(cell))))


def _span(bar: Bar) -> list[Markup] | None:
    found = span(bar)
    return None if found is None else [_number(part) for part in found]


def _fractions(columns: Sequence[Column]) -> list[Markup]:
    total = sum(column.share for column in columns)
    return [_number(column.share / total) for column in columns]


def _data_uri(folder: Path, file: str) -> Markup:
    path = folder / file
    return escaping.trusted(f"data:{_MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}")
