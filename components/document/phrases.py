"""Numbers and dates in the words of the documents, rounded to the precision that they have."""

import re
from datetime import UTC, date, datetime

from coachworks import wording

NOT_MEASURED = "not measured"
_CODE = re.compile(r"`([^`]+)`")
_NBSP = "\u00a0"


def percent(share: float | None, *, digits: int | None = None) -> str:
    r"""Return a share in [0, 1] as a percentage; with a decimal only where a whole number would read 0 % or 100 %.

    >>> percent(0.912), percent(0.996), percent(1.0), percent(None)
    ('91\xa0%', '99.6\xa0%', '100\xa0%', 'not measured')
    """
    if share is None:
        return NOT_MEASURED
    if digits is None:
        digits = 1 if 0 < share < 0.01 or 0.99 < share < 1 else 0
    number = 100 * share
    if share < 1:  # only a share of 1 reads 100 %
        number = min(number, 100 - 10.0**-digits) if digits else number
    return f"{number:.{digits}f}{_NBSP}%"


def percents(*shares: float | None) -> list[str]:
    r"""Return several shares with enough digits to distinguish different ones.

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
    r"""Return an interval of shares; a single share if both ends read the same.

    >>> interval(0.881, 0.94), interval(0.722, 0.722), interval(0.7221, 0.7224)
    ('88\xa0% to 94\xa0%', '72\xa0%', '72.21\xa0% to 72.24\xa0%')
    """
    if low is None or high is None:
        return NOT_MEASURED
    first, last = percents(low, high)
    return percent(low) if first == last else f"{first} to {last}"


def between(low: float, high: float) -> str:
    r"""Return an interval of shares inside a sentence, after the verb.

    >>> between(0.881, 0.94), between(0.722, 0.722)
    ('between 88\xa0% and 94\xa0%', 'at 72\xa0%')
    """
    first, last = percents(low, high)
    return f"at {percent(low)}" if first == last else f"between {first} and {last}"


def count(number: int | None, noun: str = "", plural: str = "") -> str:
    """Return a whole number with separated thousands, and its noun; None: not measured.

    >>> count(1234, "photo"), count(1, "photo"), count(2, "set"), count(None)
    ('1,234 photos', '1 photo', '2 sets', 'not measured')
    """
    if number is None:
        return NOT_MEASURED
    return wording.counted(number, noun, plural or None) if noun else f"{number:,}"


def decimal(number: float | None, digits: int = 3) -> str:
    """Return a number without a unit.

    >>> decimal(0.03141), decimal(None)
    ('0.031', 'not measured')
    """
    return NOT_MEASURED if number is None else f"{number:.{digits}f}"


def duration(seconds: float | None) -> str:
    """Return a length of time, as `coachworks.wording.duration`; None: not measured."""
    return NOT_MEASURED if seconds is None else wording.duration(seconds)


def size(bytes_: float | None) -> str:
    """Return a number of bytes, as `coachworks.wording.size`; None: not measured."""
    return NOT_MEASURED if bytes_ is None else wording.size(bytes_)


def day(when: date | None) -> str:
    """Return a day in words.

    >>> day(date(2026, 3, 4)), day(None)
    ('4 March 2026', 'unknown')
    """
    return "unknown" if when is None else f"{when.day} {when:%B} {when.year}"


def moment(text: str | None) -> datetime | None:
    """Parse an ISO 8601 text, as UTC if it has no zone; None if it is malformed."""
    try:
        when = datetime.fromisoformat(text or "")
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def quoted(name: str) -> str:
    """Return a label in quotation marks."""
    return f"‘{name}’"


def titled(name: str) -> str:
    """Return a skill's name as a title.

    >>> titled("image-content")
    'Image content'
    """
    spaced = name.replace("-", " ")
    return spaced[:1].upper() + spaced[1:]


def sentence(text: str) -> str:
    """Return `text` with a capital and a full stop, and with quotation marks instead of backticks.

    >>> sentence("too few photos; lower `minPhotosPerLabel`")
    'Too few photos; lower ‘minPhotosPerLabel’.'
    """
    text = _CODE.sub(r"‘\1’", text.strip())
    if not text:
        return ""
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
