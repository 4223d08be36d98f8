"""Content of a document: sections of a few kinds of blocks, computed once, rendered as HTML, LaTeX and Typst."""

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """A table cell of text.

    Attributes:
        text: Text of the cell.
        tone: "good", "bad", "warn", "muted" or "".
        document: Stem of the linked document, or "".
    """

    kind: ClassVar[str] = "text"
    text: str
    tone: str = ""
    document: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A table cell with a bar for a share in [0, 1] and its interval.

    Attributes:
        value: The share; None: not measured.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
        limit: Limit of the gate, or None.
        text: The value in words.
    """

    kind: ClassVar[str] = "bar"
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Shade:
    """A table cell with a tinted background.

    Attributes:
        text: Text of the cell.
        share: Depth of the tint, in [0, 1].
        right: True for right answers, False for wrong ones.
    """

    kind: ClassVar[str] = "shade"
    text: str
    share: float
    right: bool


Cell: TypeAlias = Text | Bar | Shade


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: Heading of the column.
        align: "left", "right", "center" or "bar".
        share: Width relative to the other columns.
    """

    title: str
    align: str = "left"
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        columns: The columns.
        rows: The rows, each with one cell per column.
        caption: Caption, in a sentence.
        dense: True for a matrix of small cells.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    dense: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `lead` precedes the text, in bold."""

    kind: ClassVar[str] = "paragraph"
    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The highlighted conclusion of a document: `tone` is "good", "bad", "warn" or "muted"."""

    kind: ClassVar[str] = "conclusion"
    title: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `code`: in fixed-width type."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of names and values."""

    kind: ClassVar[str] = "facts"
    rows: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The key figures, in large type."""

    kind: ClassVar[str] = "figures"
    rows: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list."""

    kind: ClassVar[str] = "items"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of code, in fixed-width type."""

    kind: ClassVar[str] = "code"
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        file: Path relative to the document's folder.
        caption: Caption.
        width: Share of the text's width, in (0, 1].
    """

    kind: ClassVar[str] = "picture"
    file: str
    caption: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures side by side, each with a caption, and a common lead and caption."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]
    lead: str = ""
    caption: str = ""


Block: TypeAlias = Paragraph | Conclusion | Facts | Figures | Items | Code | Picture | Gallery | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a document; `anchor` is its address in the HTML page."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document.

    Attributes:
        stem: Name of its files, without the extension.
        kicker: Kind of the document, above the title.
        title: Title.
        subtitle: Line below the title.
        date: Date of the results, in words.
        timestamp_s: Date of the results, in seconds since the epoch.
        sections: Sections, in order.
        home: Stem of the fleet's document for a link back, or "".
        footer: Line at the end of every page.
    """

    stem: str
    kicker: str
    title: str
    subtitle: str
    date: str
    timestamp_s: int
    sections: tuple[Section, ...] = field(default=())
    home: str = ""
    footer: str = ""
