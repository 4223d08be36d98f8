"""The content of a document: sections of a few kinds of blocks, computed once and rendered three times."""

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """A table cell of text.

    Attributes:
        text: What it says.
        tone: "good", "bad", "warn", "muted" or "".
        document: Stem of the document that it links to, or "".
    """

    kind: ClassVar[str] = "text"
    text: str
    tone: str = ""
    document: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A table cell that shows a share in [0, 1] with its interval.

    Attributes:
        value: The share, or None when it was not measured.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
        limit: Where the gate stands, or None.
        text: The same in words.
    """

    kind: ClassVar[str] = "bar"
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Shade:
    """A table cell on a tinted ground.

    Attributes:
        text: What it says.
        share: How deep the tint is, in [0, 1].
        right: Whether it stands for right answers; else for wrong ones.
    """

    kind: ClassVar[str] = "shade"
    text: str
    share: float
    right: bool


Cell: TypeAlias = Text | Bar | Shade


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column.

    Attributes:
        title: Its head.
        align: "left", "right", "center" or "bar".
        share: Width relative to the other columns.
    """

    title: str
    align: str = "left"
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row."""

    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        columns: Heads and widths.
        rows: As many cells each as there are columns.
        caption: What it shows, in a sentence.
        dense: Whether it is a matrix of small cells.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    dense: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `lead` stands before the text, in bold."""

    kind: ClassVar[str] = "paragraph"
    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, set apart: `tone` is "good", "bad", "warn" or "muted"."""

    kind: ClassVar[str] = "verdict"
    title: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `code` asks for fixed-width type."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    rows: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The few numbers worth large type."""

    kind: ClassVar[str] = "figures"
    rows: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    kind: ClassVar[str] = "items"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to type or to read, in fixed-width type."""

    kind: ClassVar[str] = "code"
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        file: Its place, relative to the document's folder.
        caption: What it shows.
        width: Share of the text's width, in (0, 1].
    """

    kind: ClassVar[str] = "picture"
    file: str
    caption: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures side by side, each with its caption, and one for all of them."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]
    lead: str = ""
    caption: str = ""


Block: TypeAlias = Paragraph | Verdict | Facts | Figures | Items | Code | Picture | Gallery | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a document; `anchor` is its address within it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document.

    Attributes:
        stem: Name of its files, without the extension.
        kicker: What kind of document it is, over the title.
        title: Its title.
        subtitle: A line below the title.
        date: The day it speaks of, in words.
        timestamp_s: The same moment, in seconds since the epoch.
        sections: Its parts, in order.
        home: Stem of the document that leads here, or "".
        footer: A line at the end of every page.
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


def picture_files(document: Document) -> list[str]:
    """The files of all pictures of a document, in order."""
    files = []
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                files.append(block.file)
            elif isinstance(block, Gallery):
                files.extend(picture.file for picture in block.pictures)
    return files
