"""Typst source to PDF: offline, without packages, and without access to files outside the document's folder."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.errors import CoachworksError
from components.fonts import bundled_folder

if TYPE_CHECKING:
    import typst


class PdfError(CoachworksError):
    """Typst source that could not be compiled."""


def typst_fonts() -> "typst.Fonts":
    """Load the fonts embedded in typst; matplotlib's and the system's for characters that those lack.

    Searching the system's fonts takes a while: call it once for all documents.
    """
    import typst

    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=True, font_paths=[str(bundled_folder())])


def write_pdf(source: str, folder: Path, stem: str, *, fonts: "typst.Fonts", timestamp_s: int) -> None:
    """Compile Typst source to `<stem>.pdf` in `folder`, which also holds its pictures.

    Args:
        source: The source.
        folder: Folder of the PDF; the source can read no file outside it.
        stem: Name of the PDF without its extension.
        fonts: Result of `typst_fonts`.
        timestamp_s: Date in the PDF, in seconds since the epoch; equal sources give equal files.

    Raises:
        PdfError: typst could not compile the source.
    """
    import typst

    compile_: Callable[..., bytes] = typst.compile  # the stub requires one type for all paths
    with tempfile.TemporaryDirectory(prefix="no-packages-") as empty:
        try:
            pdf = compile_(
                source.encode("utf-8"),
                root=str(folder),
                font_paths=fonts,
                format="pdf",
                timestamp=timestamp_s,
                package_path=empty,
                package_cache_path=empty,
            )
        except typst.TypstError as err:
            raise PdfError(f"typst could not compile {stem}: {err}") from err
    (folder / f"{stem}.pdf").write_bytes(pdf)
