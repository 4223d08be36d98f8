"""Text from outside in Markdown: it is shown, and never becomes markup."""

import re

from coachworks.visible_text import plain

_SPECIAL = re.compile(r"[\\`*_{}\[\]#!|~$]")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])")
_ADDRESS = re.compile(r"://|(?<=www)\.|@", re.IGNORECASE)


def markdown(text: str) -> str:
    r"""Escape `text` for a paragraph, an item of a list or a cell of a table in Markdown.

    >>> markdown("a|b <c> _d_"), markdown("1. see https://a.example")
    ('a\\|b &lt;c&gt; \\_d\\_', '1\\. see https\\://a.example')
    """
    escaped = _SPECIAL.sub(lambda match: f"\\{match.group()}", plain(text).strip())
    escaped = _NUMBERED.sub(r"\1\\\2", _ADDRESS.sub(lambda match: f"\\{match.group()}", escaped))
    escaped = f"\\{escaped}" if escaped.startswith(("-", "+", "=")) else escaped
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
