"""Labels that look the same to a reader though their characters differ."""

import unicodedata

from coachworks.visible_text import hidden_characters, named

# Letters of Cyrillic and Greek that look like Latin ones, in either case.
_TWINS = str.maketrans(
    "АВЕЅІЈКМНОРСТХУԚԜаеѕіјорсхуһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲϳ",
    "ABESIJKMHOPCTXYQWaesijopcxyhdqwABEZHIKMNOPTYXocj",
)


def fold(label: str) -> str:
    r"""Return a label as readers compare it: two that look the same give the same text.

    Case, surrounding and repeated space, Unicode form, hidden characters, variation selectors, and letters of Cyrillic
    and Greek that look like Latin ones make no difference.

    >>> fold(" Close-Up ") == fold("close-up"), fold("c\u0430r\u200b") == fold("car")
    (True, True)
    """
    text = label
    if not label.isascii():
        text = unicodedata.normalize("NFKC", label).translate(_TWINS)
        hidden = set(hidden_characters(text))
        text = "".join(
            character
            for index, character in enumerate(text)
            if character.isspace() or not (index in hidden or character in "\u200c\u200d" or _selects(character))
        )
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.casefold().split())


def difference(label: str, other: str) -> str | None:
    r"""Return the first difference of a label from one that looks the same; None where it is of case and plain space.

    >>> difference("car\u00a0red", "car red"), difference("Car", "car")
    ('U+00A0 (no-break space) at position 4', None)
    """
    if _plainly(label) == _plainly(other):
        return None
    known = set(other)
    for first, text in ((True, label), (False, other)):
        beside = known if first else set(label)
        for index, character in enumerate(text):
            if character not in beside and not character.isascii():
                where = f"{named(character)} at position {index + 1}"
                return where if first else f"no {named(character)}"
    return "its characters in another order"


def unreadable(label: str) -> str | None:
    """Return the first hidden character of a label and its position; None where there is none."""
    index = next(iter(hidden_characters(label)), None)
    return None if index is None else f"{named(label[index])} at position {index + 1}"


def _plainly(label: str) -> str:
    return " ".join(unicodedata.normalize("NFC", label).casefold().split(" "))


def _selects(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
