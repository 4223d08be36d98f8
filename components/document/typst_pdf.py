"""From LaTeX or Typst source to PDF, offline, with nothing that a source could start or read outside its folder."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.errors import CoachworksError, NotFoundError

if TYPE_CHECKING:
    import typst

PDFLATEX, TYPST = "pdflatex", "typst"
_PASSES = 2  # at most: our sources ask for no second one, which would double the time for the very same bytes
_RERUN = re.compile(r"Warning:.*(?:[Rr]erun|have changed)")
_LOG_LINES = 12


class PdfError(CoachworksError):
    """A document that could not be set."""


def choose_engine(wanted: str) -> str:
    """The engine to use: `wanted`, or for "auto" pdflatex where it is on PATH, else typst.

    Raises:
        NotFoundError: pdflatex is asked for and is not there.
    """
    there = shutil.which(PDFLATEX) is not None
    if wanted == PDFLATEX and not there:
        raise NotFoundError(
            "pdf_engine must name a program on PATH; 'pdflatex' is not there. "
            "Install TeX Live (packages latex-recommended, fonts-recommended, lmodern), or set pdf_engine to 'typst'."
        )
    if wanted == "auto":
        return PDFLATEX if there else TYPST
    return wanted


def run_pdflatex(folder: Path, stem: str, *, timeout_s: float, timestamp_s: int) -> None:
    """Make `<stem>.pdf` of `<stem>.tex` in `folder`, and keep `<stem>.log` beside it.

    Args:
        folder: Where the source and its pictures are.
        stem: Name of the source without its extension.
        timeout_s: Longest time for all passes together, in seconds.
        timestamp_s: The date that the PDF carries, in seconds since the epoch; equal sources give equal files.

    Raises:
        PdfError: pdflatex refused the source, or took too long; the message ends with the last lines of its log.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TEX")},
        "openin_any": "p",  # paranoid: files in this folder and in TeX's own trees, nothing else
        "openout_any": "p",
        "SOURCE_DATE_EPOCH": str(timestamp_s),
        "FORCE_SOURCE_DATE": "1",
        "max_print_line": "200",
    }
    options = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
    with tempfile.TemporaryDirectory(prefix="latex-", dir=folder) as scratch:
        work = Path(scratch).name  # relative: TeX's paranoid mode writes to no absolute path
        command = [PDFLATEX, *options, f"-output-directory={work}", f"{stem}.tex"]
        log = Path(scratch) / f"{stem}.log"
        deadline = time.monotonic() + timeout_s
        try:
            for _ in range(_PASSES):
                left_s = max(0.1, deadline - time.monotonic())
                done = subprocess.run(  # noqa: S603 -- a fixed program; the source cannot start another one
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=left_s,
                    check=False,
                )
                if done.returncode != 0:
                    raise PdfError(f"pdflatex could not set {stem}.tex:\n{_tail(log)}")
                if not _RERUN.search(log.read_text("utf-8", errors="replace")):
                    break
        except subprocess.TimeoutExpired as err:
            raise PdfError(f"pdflatex must set {stem}.tex within {timeout_s:g} s; it did not:\n{_tail(log)}") from err
        finally:
            if log.is_file():
                log.replace(folder / f"{stem}.log")
        (Path(scratch) / f"{stem}.pdf").replace(folder / f"{stem}.pdf")


def _tail(log: Path) -> str:
    if not log.is_file():
        return "(no log)"
    lines = log.read_text("utf-8", errors="replace").splitlines()
    first = next(
        (index for index, line in enumerate(lines) if ":" in line and ".tex:" in line), len(lines) - _LOG_LINES
    )
    return "\n".join(lines[max(0, first) : max(0, first) + _LOG_LINES])


def typst_fonts() -> "typst.Fonts":
    """The fonts that come with typst; the system's only for characters that those lack. Looked for once."""
    import typst

    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=True)


def run_typst(source: str, folder: Path, stem: str, *, fonts: "typst.Fonts", timestamp_s: int) -> None:
    """Make `<stem>.pdf` of a Typst source whose pictures are in `folder`.

    Raises:
        PdfError: typst refused the source.
    """
    import typst

    compile_: Callable[..., bytes] = typst.compile  # its stub demands one type for all paths
    with tempfile.TemporaryDirectory(prefix="no-packages-") as nowhere:
        try:
            pdf = compile_(
                source.encode("utf-8"),
                root=str(folder),
                font_paths=fonts,
                format="pdf",
                timestamp=timestamp_s,
                package_path=nowhere,
                package_cache_path=nowhere,
            )
        except typst.TypstError as err:
            raise PdfError(f"typst could not set {stem}: {err}") from err
    (folder / f"{stem}.pdf").write_bytes(pdf)
