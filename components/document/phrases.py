"""Numbers, dates and lists in plain words, rounded to what they can carry."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

NOT_MEASURED = "not measured"
_CODE = re.compile(r"`([^`]+)`")
_NBSP = "\u00a0"


def percent(share: float | None, *, digits: int | None = None) -> str:
    r"""A share in [0, 1] as a percentage; a decimal only where a whole number would claim 0 % or 100 %.

    >>> percent(0.912), percent(0.996), percent(1.0), percent(None)
    ('91\xa0%', '99.6\xa0%', '100\xa0%', 'not measured')
    """
    if share is None:
        return NOT_MEASURED
    if digits is None:
        digits = 1 if 0 < share < 0.01 or 0.99 < share < 1 else 0
    number = 100 * share
    if share < 1:  # only all is 100 %
        number = min(number, 100 - 10.0**-digits) if digits else number
    return f"{number:.{digits}f}{_NBSP}%"


def percents(*shares: float | None) -> list[str]:
    r"""Several shares with as many digits as it takes to tell different ones apart.

    >>> percents(0.847, 0.85)
    ['84.7\xa0%', '85.0\xa0%']
    """
    different = len({share for share in shares if share is not None})
    for digits in (None, 1, 2):
        texts = [percent(share, digits=digits) for share in shares]
        if len({text for text, share in zip(texts, shares, strict=True) if share is not None}) >= different:
            return texts
    return texts


def interval(low: float | None, high: float | None) -> str:
    r"""An interval of shares.

    >>> interval(0.881, 0.94)
    '88\xa0% to 94\xa0%'
    """
    if low is None or high is None:
        return NOT_MEASURED
    return f"{percent(low)} to {percent(high)}"


def count(number: int | None, noun: str = "", plural: str = "") -> str:
    """A whole number with thousands apart, and its noun.

    >>> count(1234, "photo"), count(1, "photo"), count(2, "set"), count(None)
    ('1,234 photos', '1 photo', '2 sets', 'not measured')
    """
    if number is None:
        return NOT_MEASURED
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def decimal(number: float | None, digits: int = 3) -> str:
    """A number without a unit.

    >>> decimal(0.03141), decimal(None)
    ('0.031', 'not measured')
    """
    return NOT_MEASURED if number is None else f"{number:.{digits}f}"


def duration(seconds: float | None) -> str:
    """A length of time in the unit that suits it.

    >>> duration(0.42), duration(75), duration(7200), duration(None)
    ('0.4 s', '75 s', '2.0 h', 'not measured')
    """
    if seconds is None:
        return NOT_MEASURED
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(bytes_: float | None) -> str:
    """A number of bytes.

    >>> size(17_400_000), size(None)
    ('17.4 MB', 'not measured')
    """
    if bytes_ is None:
        return NOT_MEASURED
    return f"{bytes_ / 1e6:.1f} MB" if bytes_ >= 1e5 else f"{bytes_ / 1e3:.1f} kB"


def day(when: date | None) -> str:
    """A day as people write it.

    >>> day(date(2026, 3, 4)), day(None)
    ('4 March 2026', 'unknown')
    """
    return "unknown" if when is None else f"{when.day} {when:%B} {when.year}"


def moment(text: str | None) -> datetime | None:
    """The moment of an ISO 8601 text, UTC where it names no zone; None where it is none."""
    try:
        when = datetime.fromisoformat(text or "")
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def quoted(name: str) -> str:
    """A label in quotation marks."""
    return f"‘{name}’"


def listed(names: Iterable[str], *, most: int | None = None) -> str:
    """Names as a list in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    items: Sequence[str] = list(names)
    if most is not None and len(items) > most:
        items = [*items[:most], f"{len(items) - most} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def titled(name: str) -> str:
    """A skill's name as a title.

    >>> titled("image-content")
    'Image content'
    """
    spaced = name.replace("-", " ")
    return spaced[:1].upper() + spaced[1:]


def sentence(text: str) -> str:
    """`text` with a capital and a full stop, and quotation marks where a step wrote code.

    >>> sentence("too few photos; lower `minPhotosPerLabel`")
    'Too few photos; lower ‘minPhotosPerLabel’.'
    """
    text = _CODE.sub(r"‘\1’", text.strip())
    if not text:
        return ""
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
