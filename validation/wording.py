"""Words for messages: numbers with their noun, short lists, what somebody may have meant."""

import difflib
from collections.abc import Iterable, Sequence

_LISTED = 8  # names in a sentence before it becomes unreadable


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "photo"), counted(1200, "photo")
    ('1 photo', '1,200 photos')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], limit: int = _LISTED, between: str = ", ") -> str:
    """Names in a row, the first few of many.

    >>> listed(["a", "b"]), listed("abcd", limit=2)
    ('a, b', 'a, b and 2 more')
    """
    names = list(names)
    rest = len(names) - limit
    return between.join(names[:limit]) + (f" and {rest:,} more" if rest > 0 else "")


def percent(share: float) -> str:
    """A share in per cent; never 0 for a few of many.

    >>> percent(0.123), percent(0.0001)
    ('12.3%', 'less than 0.1%')
    """
    return "less than 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def suggestion(word: str, known: Sequence[str]) -> str | None:
    """The known word that `word` was probably meant to be, whatever its case; None when nothing comes close.

    >>> suggestion("Exteror", ["interior", "exterior"])
    'exterior'
    """
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.strip().lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None
