"""Escaping of untrusted text for HTML, LaTeX, Typst and Markdown: it is shown, and never becomes markup."""

import re
import unicodedata

from markupsafe import Markup

from coachworks.markdown_text import markdown
from coachworks.visible_text import plain
from components.fonts import drawable

__all__ = ["latex", "markdown", "plain", "trusted", "typst"]

_LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)")  # `--` would become a dash
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "/": r"/\allowbreak{}",
    "[": "{[}",  # never an optional argument
    "]": "{]}",
    "*": "{*}",
    "\u00a0": "~",
    "\u00ad": r"\-",
    "\u2009": r"\,",
    "\u2011": "-",
    "\u2013": r"\textendash{}",
    "\u2014": r"\textemdash{}",
    "\u2018": r"\textquoteleft{}",
    "\u2019": r"\textquoteright{}",
    "\u201c": r"\textquotedblleft{}",
    "\u201d": r"\textquotedblright{}",
    "\u2026": r"\dots{}",
    "\u20ac": r"\texteuro{}",
    "\u2192": r"\ensuremath{\rightarrow}",
    "\u2264": r"\ensuremath{\leq}",
    "\u2265": r"\ensuremath{\geq}",
    "\u00b1": r"\ensuremath{\pm}",
    "\u00d7": r"\ensuremath{\times}",
    "\u00b7": r"\ensuremath{\cdot}",
    "\u2212": r"\ensuremath{-}",
}
# Accents of the T1 encoding, by their combining character.
_LATEX_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030a": "r", "\u0327": "c",
    "\u030c": "v", "\u0306": "u", "\u0304": "=", "\u0307": ".", "\u030b": "H", "\u0328": "k",
}  # fmt: skip
_LATEX_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "đ": r"\dj{}", "Đ": r"\DJ{}", "ð": r"\dh{}", "Ð": r"\DH{}", "þ": r"\th{}",
    "Þ": r"\TH{}", "ı": r"\i{}", "¡": r"\textexclamdown{}", "¿": r"\textquestiondown{}", "§": r"\S{}",
    "©": r"\textcopyright{}", "°": r"\textdegree{}", "µ": r"\textmu{}", "£": r"\pounds{}", "«": r"\guillemotleft{}",
    "»": r"\guillemotright{}",
}  # fmt: skip


def latex(text: str) -> str:
    r"""Escape `text` for LaTeX; a character that pdflatex cannot typeset becomes its code point: [U+4E2D].

    >>> latex(r"\input{a_b} 5%")
    '\\textbackslash{}input\\{a\\_\\allowbreak{}b\\} 5\\%'
    """
    composed = unicodedata.normalize("NFC", plain(text))
    escaped = "".join(_latex_char(char) or f"{{[}}U+{ord(char):04X}{{]}}" for char in composed)
    return _LIGATURES.sub("{}", escaped)


def _latex_char(char: str) -> str | None:
    known = _LATEX.get(char) or _LATEX_LETTERS.get(char)
    if known is not None:
        return known
    if char.isascii():
        return char
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _LATEX_ACCENTS:
        letter = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
        return f"\\{_LATEX_ACCENTS[parts[1]]}{{{letter}}}"
    return None


def typst(text: str) -> str:
    r"""Return `text` as a Typst string literal, in which nothing is markup; what no font has becomes its code point.

    >>> typst('a "#b"')
    '"a \\"#b\\""'
    """
    return '"' + drawable(plain(text)).replace("\\", "\\\\").replace('"', '\\"') + '"'


def trusted(markup: str) -> Markup:
    """Mark our own markup as safe; it must contain only numbers, safe names and escaped text."""
    return Markup(markup)  # noqa: S704 -- the only place; its callers pass no text from outside
