"""Words for people: numbers with their noun, lists, sizes, durations, suggestions.

Only the standard library is imported here, so that every part, `coachworks --help` included, can afford it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_LISTED = 8  # more names than this make a sentence unreadable


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, thousands separated.

    >>> counted(1, "photo"), counted(1200, "photo"), counted(2, "entry", "entries")
    ('1 photo', '1,200 photos', '2 entries')
    """
    return f"{number:,} {noun_for(number, noun, plural)}"


def noun_for(number: int, noun: str, plural: str | None = None) -> str:
    """Return the form of a noun, or of a verb, that agrees with `number`.

    >>> noun_for(1, "view"), noun_for(3, "view"), noun_for(3, "is", "are")
    ('view', 'views', 'are')
    """
    return noun if number == 1 else plural or f"{noun}s"


def listed(names: Iterable[str], most: int = _LISTED, between: str = ", ") -> str:
    """Return names in a row, the first `most` of many.

    >>> listed(["a", "b"]), listed("abcd", most=2)
    ('a, b', 'a, b and 2 more')
    """
    names = list(names)
    rest = len(names) - most
    return between.join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def joined(names: Iterable[str], word: str = "and", most: int | None = None) -> str:
    """Return names as a list inside a sentence, with `word` before the last one.

    >>> joined("abc"), joined("abc", "or"), joined("abcd", most=2), joined("a")
    ('a, b and c', 'a, b or c', 'a, b and 2 more', 'a')
    """
    items = list(names)
    if most is not None and len(items) > most:
        items = [*items[:most], f"{len(items) - most:,} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage; a few of very many never become 0.

    >>> percent(0.123), percent(0.0001), percent(0)
    ('12.3%', 'less than 0.1%', '0.0%')
    """
    return "less than 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it.

    >>> size(17_400_000), size(3_200), size(12)
    ('17.4 MB', '3.2 kB', '12 B')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Return a length of time in the unit that suits it.

    >>> duration(0.42), duration(75), duration(600), duration(7200)
    ('0.4 s', '75 s', '10 min', '2.0 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def clock(seconds: float) -> str:
    """Return a length of time as a stopwatch shows it, for columns and countdowns.

    >>> clock(65), clock(7507)
    ('1:05', '2:05:07')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def local_time(moment: datetime) -> str:
    """Return a moment in the zone of this machine, to the minute.

    >>> local_time(datetime(2026, 3, 4, 14, 5))
    '2026-03-04 14:05'
    """
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def pipeline_command(store: str, *options: str) -> str:
    """Return the command that runs the pipeline: on the cluster where the store is a bucket, else on this machine.

    >>> pipeline_command("s3://cars/store"), pipeline_command("/home/me/store", "--from train")
    ('`coachworks submit`', '`coachworks run --from train`')
    """
    return f"`{' '.join(('coachworks', 'submit' if store.startswith('s3://') else 'run', *options))}`"


def closest(word: object, known: Iterable[str], *, similarity: float = 0.6) -> str | None:
    """Return the known word that `word` was probably meant to be, whatever its case; None when none is close.

    Args:
        word: The word.
        known: The known words.
        similarity: Least similarity, from 0 to 1.

    >>> closest("Exteror", ["interior", "exterior"]), closest("wheel", ["interior"])
    ('exterior', None)
    """
    from difflib import get_close_matches

    folded = {_folded(name): name for name in known}
    close = get_close_matches(_folded(str(word)), folded, n=1, cutoff=similarity)
    return folded[close[0]] if close else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a sentence that suggests the closest known word, to be put after a full stop; "" when none is close.

    >>> did_you_mean("imagequality", ["image-quality", "wheel"])
    ' Did you mean `image-quality`?'
    """
    close = closest(word, known)
    return "" if close is None else f" Did you mean `{close}`?"


class Suggestions:
    """Suggestions for unknown words: for the first few of very many, as each is compared with all known words.

    Args:
        known: The known words.
        comparisons: Comparisons of two words after which there are no more suggestions.
        similarity: Least similarity of a suggestion, from 0 to 1.

    >>> suggestions = Suggestions(["interior", "exterior"], comparisons=2)
    >>> suggestions.closest("Exteror"), suggestions.closest("interor")
    ('exterior', None)
    """

    def __init__(self, known: Iterable[str], *, comparisons: int = 20_000, similarity: float = 0.6) -> None:
        self._known, self._similarity = list(known), similarity
        self._left = max(1, comparisons // max(1, len(self._known)))

    def closest(self, word: str) -> str | None:
        """Return the known word that `word` probably means; None when none is close, or after the first few."""
        self._left -= 1
        return closest(word, self._known, similarity=self._similarity) if self._left >= 0 else None

    def did_you_mean(self, word: str, kind: str) -> str:
        """Return a sentence with the closest known word, else with the first known ones, as those of `kind`."""
        close = self.closest(word)
        return f" {kind}: {listed(self._known)}." if close is None else f" Did you mean `{close}`?"


def first_problem(err: "ValidationError") -> str:
    """Return the first problem that Pydantic found in a document, after the path of its field."""
    first = err.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'its JSON'}: {first['msg']}"


def _folded(word: str) -> str:
    return " ".join(word.casefold().split())
