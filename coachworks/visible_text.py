"""Text from outside, shown so that no character of it hides, moves or commands others."""

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # emoji of several parts, and letters of Persian and Indic scripts, need them
_FLAG, _TAGS = "\U0001f3f4", range(0xE0020, 0xE0080)  # the flags of England, Scotland and Wales end in tags
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2028\u2029\u2800\u3164\uffa0")  # drawn as nothing, or as a space
_SPACES = re.compile(r"[\t\n\r\v\f\u2028\u2029]+")
_HARMLESS = re.compile(r"[\n\t\x20-\x7e\xa1-\xac\xae-\u02ff]*")


def is_hidden(character: str) -> bool:
    r"""Return whether a character is drawn as nothing, moves others or commands a terminal; joiners of emoji are not.

    >>> [is_hidden(character) for character in "a\u200b\x1b\u200d"]
    [False, True, True, False]
    """
    if character in _JOINERS:
        return False
    return character in _BLANK or unicodedata.category(character) in {"Cc", "Cf", "Cs"}


def hidden_characters(text: str) -> list[int]:
    """Return the indices of hidden characters, those of emoji left out."""
    if _HARMLESS.fullmatch(text):
        return [index for index, character in enumerate(text) if character in "\n\t"]
    indices: list[int] = []
    in_flag = False
    for index, character in enumerate(text):
        in_flag = character == _FLAG or (in_flag and ord(character) in _TAGS)
        if character in _JOINERS:
            alone = index in {0, len(text) - 1} or text[index - 1].isascii() or text[index + 1].isascii()
            if alone:
                indices.append(index)
        elif is_hidden(character) and not (in_flag and ord(character) in _TAGS):
            indices.append(index)
    return indices


def visible(text: str) -> str:
    r"""Return text with hidden characters escaped, but for the ends of lines.

    >>> visible("red\x1b[2J\u200b")
    'red\\x1b[2J\\u200b'
    """
    hidden = set(hidden_characters(text))
    if not hidden:
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii") if index in hidden and character not in "\n\t" else character
        for index, character in enumerate(text)
    )


def plain(text: str) -> str:
    r"""Return text on one line, with each hidden character replaced by U+FFFD, as pages show it.

    >>> plain("a\nb"), plain("a\x00")
    ('a b', 'a\ufffd')
    """
    line = _SPACES.sub(" ", text)
    hidden = set(hidden_characters(line))
    return "".join("\ufffd" if index in hidden else character for index, character in enumerate(line))


def quoted(text: str) -> str:
    r"""Return text in quotes, with hidden characters and unusual spaces escaped.

    >>> print(quoted("car\u200b"), quoted("红色"), quoted("a\u3164b"))
    'car\u200b' '红色' 'a\u3164b'
    """
    return visible(repr(text))


def named(character: str) -> str:
    r"""Return a character's code point and name.

    >>> named("\u200b")
    'U+200B (zero width space)'
    """
    name = unicodedata.name(character, "").lower()
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")
