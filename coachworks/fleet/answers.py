"""Answers in tables and folders, compared with the skills of the fleet file.

`check` compares before anything has run, `ingest` compares what it has read, and `validate` uses the same words.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from coachworks.fleet.labels import fold
from coachworks.fleet.names import RESERVED_SKILLS, slug
from coachworks.fleet.skill import Skill
from coachworks.wording import closest, counted, joined, listed

_MIN_SHARE = 0.5  # of a column's values that must be answers to a skill, for the column to be likely the skill's
_SIMILAR = 0.8  # least similarity of a column's name to a skill's: the values of other columns say nothing of the skill
_EXAMPLES = 3

Counts = Mapping[str, int]  # photos by value; 0 where they were not counted


@dataclass(frozen=True)
class Answers:
    """Answers of one table or folder, or of all sources.

    Attributes:
        skills: Photos per answer, by skill; skills without an answer may be absent.
        columns: Photos per value, by column that belongs to no skill.
    """

    skills: Mapping[str, Counts] = field(default_factory=dict)
    columns: Mapping[str, Counts] = field(default_factory=dict)


def compare_with_skills(
    skills: Mapping[str, Skill], sources: Mapping[str, Answers], *, complete: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield (skill, sentence) for each difference between the fleet file and the answers.

    Args:
        skills: The skills by name.
        sources: Answers by the name of their table or folder.
        complete: Whether these are all sources: only then is a skill or a label known to have no photo.
    """
    counts, columns = _total(sources)
    for name, skill in skills.items():
        own = counts.get(name, {})
        if not own:
            if complete:
                yield name, no_answer(name, skill, columns)
            continue
        yield from ((name, sentence) for sentence in _renamed_in_some(name, skill, sources))
        unknown = {label: count for label, count in own.items() if label not in _known(skill)}
        if unknown:
            lines = unknown_labels(unknown, skill.labels)
            named = f"{counted(len(lines), 'answer')} to {name!r} not among its labels: {listed(lines, _EXAMPLES)}"
            yield name, f"{named}{'' if named.endswith('?') else '.'} Correct them, or add to `labels`."
        absent = [repr(label) for label in skill.labels if label not in own]
        if absent and complete:
            yield name, f"no photo has the label {joined(absent, 'or', _EXAMPLES)} of {name!r}. Add photos of it."


def no_answer(name: str, skill: Skill, columns: Mapping[str, Counts]) -> str:
    """Return the sentence about a skill that no photo answers, with the column that may hold its answers.

    Args:
        name: The skill's name.
        skill: The skill.
        columns: Photos per value, by column that belongs to no skill.
    """
    problem = f"no photo carries an answer to {name!r}"
    column = likely_column(name, skill, columns)
    if column is None:
        return f"{problem}. Add a column {name!r} to a table, or remove the skill until there are answers."
    return f"{problem}; did you rename {column!r}? {ways_out(name, column)}"


def likely_column(name: str, skill: Skill, columns: Mapping[str, Counts]) -> str | None:
    """Return the column that probably holds a skill's answers: by its values, else by its name; None without one."""
    return _column_by_values(skill, columns) or closest(name, columns, similarity=_SIMILAR)


def ways_out(name: str, column: str) -> str:
    """Return the ways out where a column of another name holds the answers to a skill."""
    former = slug(column)
    moved = f"write `was: {former}` at the skill, or " if former and former not in RESERVED_SKILLS else ""
    return f"Then {moved}rename the column to {name!r}."


def unknown_labels(counts: Counts, labels: Collection[str]) -> list[str]:
    """Return a line per label that a skill does not have, the most frequent first, with the label that it may mean.

    Args:
        counts: Photos per label.
        labels: The skill's labels.
    """
    lines = []
    for label, count in sorted(counts.items(), key=lambda item: -item[1]):
        meant = closest(label, labels)
        photos = f" on {counted(count, 'photo')}" if count else ""
        lines.append(f"{label!r}{photos}" + (f"; did you mean {meant!r}?" if meant else ""))
    return lines


def _renamed_in_some(name: str, skill: Skill, sources: Mapping[str, Answers]) -> Iterator[str]:
    """Yield a sentence per table whose answers to the skill seem to be in a column of another name."""
    beside = {column for answers in sources.values() if answers.skills.get(name) for column in answers.columns}
    for source, answers in sources.items():
        others = {column: values for column, values in answers.columns.items() if column not in beside}
        column = None if answers.skills.get(name) else _column_by_values(skill, others)
        if column is not None:
            yield (
                f"{source} carries no answer to {name!r}; did you rename {column!r} in other tables? "
                + ways_out(name, column)
            )


def _column_by_values(skill: Skill, columns: Mapping[str, Counts]) -> str | None:
    shares = {column: _share(skill, values) for column, values in columns.items()}
    best = max(shares, key=lambda column: shares[column], default=None)
    return best if best is not None and shares[best] >= _MIN_SHARE else None


def _share(skill: Skill, values: Counts) -> float:
    """Return the share of the different values that are answers to the skill; 0 where fewer than two are labels."""
    labels, known = {fold(label) for label in skill.labels}, {fold(label) for label in _known(skill)}
    folded = {fold(value) for value in values}
    return len(known & folded) / len(folded) if len(labels & folded) > 1 else 0.0


def _known(skill: Skill) -> set[str]:
    return {*skill.labels, *filter(None, [skill.unsure])}


def _total(sources: Mapping[str, Answers]) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return the photos per answer by skill, and per value by other column, of all sources together."""
    skills: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    columns: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for answers in sources.values():
        for total, parts in ((skills, answers.skills), (columns, answers.columns)):
            for name, counts in parts.items():
                for value, count in counts.items():
                    total[name][value] += count
    return skills, columns
