"""Fonts for labels in pictures: DejaVu Sans, which comes with matplotlib, and installed fonts for what it lacks."""

from collections.abc import Iterable
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

_UNDRAWN = frozenset("\u200c\u200d\ufe0e\ufe0f")  # they select and join forms of their neighbours


def missing(texts: Iterable[str]) -> str:
    """Return the characters of texts that no font on this machine has, each once, in order."""
    characters = sorted(character for character in set("".join(texts)) - _UNDRAWN if not character.isascii())
    return "".join(character for character in characters if _font_of(character) is None)


def missing_notice(texts: Iterable[str]) -> str | None:
    """Return a sentence with the way out if some characters of texts are in no font on this machine."""
    lacking = missing(texts)
    if not lacking:
        return None
    more = "…" if len(lacking) > 8 else ""
    install = "`apt-get install fonts-noto-core fonts-noto-cjk`"
    return (
        f"no font on this machine has {' '.join(lacking[:8])}{more}, so pictures show their code points. Install one "
        f"(on Debian and Ubuntu: {install}), then `coachworks run --from evaluate`."
    )


def drawable(text: str) -> str:
    r"""Return text as pictures show it: a character that no font has becomes its code point.

    >>> drawable("a\U0010fffe")
    'a[U+10FFFE]'
    """
    if text.isascii():
        return text
    return "".join(
        character if _font_of(character) is not None else f"[U+{ord(character):04X}]"
        for character in text
        if character not in _UNDRAWN
    )


def families(texts: Iterable[str]) -> list[str]:
    """Return names of fonts that together have the characters of texts, for matplotlib's `fontfamily`."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    names = ["DejaVu Sans"]
    for path in dict.fromkeys(_font_of(character) for character in sorted(set("".join(texts)))):
        if path is not None and path != _dejavu():
            font_manager.fontManager.addfont(path)
            names.append(FT2Font(path).family_name)
    return names


def bundled_folder() -> Path:
    """Return the folder of the fonts that come with matplotlib."""
    return Path(_dejavu()).parent


def text_width(text: str, size_px: int) -> float:
    """Return the width of text in pixels, as `draw_text` draws it."""
    return sum(font.getlength(part) for font, part in _runs(text, size_px))


def draw_text(pen: "ImageDraw", position: tuple[float, float], text: str, *, size_px: int, fill: str) -> None:
    """Draw text, each character with a font that has it."""
    x, y = position
    for font, part in _runs(text, size_px):
        pen.text((x, y + _baseline(size_px)), part, fill=fill, font=font, anchor="ls")
        x += font.getlength(part)


def _runs(text: str, size_px: int) -> "list[tuple[FreeTypeFont, str]]":
    paths = [(_font_of(character) or _dejavu(), character) for character in text]
    return [
        (_loaded(path, size_px), "".join(character for _, character in run))
        for path, run in groupby(paths, key=lambda pair: pair[0])
    ]


def _baseline(size_px: int) -> int:
    return _loaded(_dejavu(), size_px).getmetrics()[0]


@cache
def _loaded(path: str, size_px: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(path, size_px)


@cache
def _font_of(character: str) -> str | None:
    """Return the file of the first font that has a character; None if no font has it."""
    if ord(character) in _characters(_dejavu()):
        return _dejavu()
    return next((path for path in _installed() if ord(character) in _characters(path)), None)


@cache
def _dejavu() -> str:
    from matplotlib import get_data_path

    return str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


@cache
def _installed() -> tuple[str, ...]:
    """Return the files of the installed fonts, upright ones without serifs first; none of coloured emoji."""
    from matplotlib.font_manager import findSystemFonts

    def order(path: str) -> tuple[bool, bool, bool, str]:
        name = Path(path).stem
        return "-" in name and "Regular" not in name, "Serif" in name, "Mono" in name, name

    return tuple(sorted((path for path in findSystemFonts() if "Emoji" not in Path(path).name), key=order))


@cache
def _characters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):  # damaged, or of a kind that matplotlib cannot draw
        return frozenset()
