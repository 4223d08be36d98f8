"""Escaping: untrusted text stays text in every language."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.document import escaping, rendering
from components.document.content import (
    Bar,
    Code,
    Column,
    Conclusion,
    Document,
    Fact,
    Facts,
    Items,
    Paragraph,
    Row,
    Section,
    Table,
    Text,
)
from components.document.typst_pdf import typst_fonts, write_pdf

NASTY = [
    r"\input{/etc/passwd}",
    r"\write18{touch owned}",
    "50 % of a_b #1 & $x$ ^ ~ {}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %} << x >> <% y %> <# z #>",
    '#read("/etc/passwd") #"a" $x$ *b* _c_ @d <e> // f /* g */',
    "]]> --> ``` ~~~ ?` !` ,, -- ---",
    "Größe ñandú Œuvre naïve Łódź £5 ±2 €",
    "轮胎 шина 🚗",
    "a\u202eb\x00c\nd\ud800e",
    "%",
    "\\",
]


def page_of(text: str) -> Document:
    """Return a document with a text in every place."""
    cell = Text(text)
    blocks = (
        Conclusion(text, text, "good"),
        Paragraph(text, lead=text),
        Items((text, text)),
        Facts((Fact(text, text), Fact(text, text, code=True))),
        Table((Column(text), Column("", "bar")), (Row((cell, Bar(0.5, 0.4, 0.6, 0.5, text)), strong=True),), text),
        Code((text,)),
    )
    return Document(
        stem="nasty",
        kicker=text,
        title=text,
        subtitle=text,
        date="today",
        timestamp_s=0,
        sections=(Section("one", text, blocks),),
        footer=text,
    )


@pytest.fixture(scope="session", params=NASTY)
def nasty(request: pytest.FixtureRequest) -> str:
    """A text that contains markup of some language."""
    return request.param


class Reader(HTMLParser):
    """Parser that collects the elements and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_nasty_text_in_html_is_shown_and_creates_no_element(nasty, tmp_path):
    plain, shown = (read(rendering.html(page_of(t), tmp_path)) for t in ("a", nasty))
    assert shown.tags == plain.tags
    assert shown.attributes == plain.attributes
    assert escaping.plain(nasty) in shown.texts


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_no_text_becomes_an_element(text):
    plain, other = (read(rendering.html(page_of(t), Path())) for t in ("a", text or "a"))
    assert other.tags == plain.tags
    assert other.attributes == plain.attributes


KNOWN_COMMANDS = re.compile(
    r"\\(?:text[a-z]+|ensuremath|allowbreak|dots|rightarrow|leq|geq|pm|times|cdot|pounds|guillemot(?:left|right)"
    r"|ss|ae|AE|oe|OE|o|O|l|L|dj|DJ|dh|DH|th|TH|i|j|S|r|c|v|u|H|k)(?![A-Za-z])"
    r"|\\[{}$&#%_,`'^~\"=.-]"
)


@settings(max_examples=400)
@given(st.one_of(st.text(), st.text("\\{}$&#%_~^`'\"-,?!<>[]*|/ inputwrite18\u00e9")))
def test_latex_contains_only_commands_that_typeset_a_character(text):
    source = escaping.latex(text)
    rest = KNOWN_COMMANDS.sub("", source)
    assert "\\" not in rest
    assert not set(rest) & set("$&#%_^")
    depth = 0
    for char in KNOWN_COMMANDS.sub("", source):
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert source.isascii()
    assert "--" not in source
    assert "\n" not in source


@settings(max_examples=400)
@given(st.one_of(st.text(), st.text('\\"#$*_@<>`[](){}u')))
def test_typst_text_is_one_string_literal(text):
    source = escaping.typst(text)
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', source)


@settings(max_examples=400)
@given(st.one_of(st.text(), st.text("|\\`*_{}[]()#<>&!~-\n")))
def test_markdown_text_stays_in_its_cell(text):
    source = escaping.markdown(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*_\[]", source)
    assert "<" not in source
    assert "\n" not in source


@pytest.mark.parametrize(
    ("text", "shown"), [("a_b", r"a\_\allowbreak{}b"), ("é", r"\'{e}"), ("漢", "{[}U+6F22{]}"), ("--", "-{}-")]
)
def test_latex_typesets_the_character_or_its_code_point(text, shown):
    assert escaping.latex(text) == shown


def test_typst_compiles_nasty_text(nasty, tmp_path):
    write_pdf(rendering.typst(page_of(nasty)), tmp_path, "nasty", fonts=typst_fonts(), timestamp_s=0)
    assert (tmp_path / "nasty.pdf").read_bytes().startswith(b"%PDF")


def test_a_name_that_is_not_safe_never_reaches_a_page(tmp_path):
    unsafe = replace(page_of("a"), home="../x%")
    with pytest.raises(ValueError, match="name must match"):
        rendering.html(unsafe, tmp_path)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on PATH")
def test_pdflatex_compiles_nasty_text(tmp_path):
    (tmp_path / "nasty.tex").write_text(rendering.latex(page_of(" ".join(NASTY))), "utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "nasty.tex"]
    done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
