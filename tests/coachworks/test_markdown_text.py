"""Text in Markdown, as a parser of Markdown shows it."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from odd_labels import ODD_LABELS

from coachworks.markdown_text import markdown
from coachworks.visible_text import plain

READER = MarkdownIt("commonmark", {"typographer": False}).enable(["table", "strikethrough"])
NASTY = [
    *ODD_LABELS,
    "![x](https://a.example/x.png)",
    "[x][y]",
    "<https://a.example>",
    "&amp; &#x41; &copy;",
    "1) a",
    "12. a",
    "+ a",
    "===",
    "---",
    "```",
    "    code",
    "> quote",
    "a  ",
    "\\",
    "\\|",
    "`|`",
]
texts = (
    st.sampled_from(NASTY)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.text("|\\`*_{}[]()#<>&!~-+=.1@:/ \n")
)


def tokens(source: str) -> Iterator[Token]:
    for token in READER.parse(source):
        yield token
        yield from token.children or ()


def shown(source: str) -> str:
    """The text of a document that has no other markup than `source` might make."""
    return "".join(token.content for token in tokens(source) if token.type in {"text", "text_special", "code_inline"})


def kinds(source: str) -> list[str]:
    return [token.type for token in tokens(source) if not token.type.startswith("text")]


@settings(max_examples=300)
@given(texts)
def test_text_in_a_paragraph_a_list_and_a_table_is_shown_and_is_no_markup(text: str) -> None:
    expected = plain(text).strip()
    for frame in ("{}", "* {}", "| a | b |\n|---|---|\n| {} | c |", "**bold** {}"):
        source = frame.format(markdown(text))
        if not expected:
            continue
        assert kinds(source) == kinds(frame.format("word")), source
        assert shown(source) == shown(frame.replace("{}", "\ufffc")).replace("\ufffc", expected)


@pytest.mark.parametrize("text", ["https://a.example", "www.a.example", "anna@a.example"])
def test_an_address_is_no_link_where_addresses_become_links(text: str) -> None:
    assert "\\" in markdown(text)
