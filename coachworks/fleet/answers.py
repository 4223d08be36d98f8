"""Answers in tables and folders, compared with the skills of the fleet file.

`check` compares before anything has run, `ingest` compares what it has read, and `validate` uses the same words.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from coachworks.fleet.look_alikes import difference, fold
from coachworks.fleet.names import RESERVED_SKILLS, slug
from coachworks.fleet.skill import Skill
from coachworks.visible_text import quoted
from coachworks.wording import Suggestions, counted, joined, listed

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
        complete: Whether these are all its answers, rather than those of its first rows.
    """

    skills: Mapping[str, Counts] = field(default_factory=dict)
    columns: Mapping[str, Counts] = field(default_factory=dict)
    complete: bool = True


class Columns:
    """Columns that belong to no skill, prepared for the comparison with many skills.

    Args:
        counts: Photos per value, by column.
    """

    def __init__(self, counts: Mapping[str, Counts]) -> None:
        self._folded = {column: {fold(value) for value in values} for column, values in counts.items()}
        self._with_value: dict[str, list[str]] = defaultdict(list)
        for column, values in self._folded.items():
            for value in values:
                self._with_value[value].append(column)
        self._suggestions = Suggestions(counts, similarity=_SIMILAR)
        self._by_answers: dict[tuple[str, ...], dict[str, float]] = {}

    def likely(self, name: str, skill: Skill) -> str | None:
        """Return the column that probably holds a skill's answers, by its values, else by its name; or None."""
        return self.by_values(skill) or self._suggestions.closest(name)

    def by_values(self, skill: Skill, without: Collection[str] = ()) -> str | None:
        """Return the column whose values are mostly answers to a skill, but for those `without`; None without one."""
        shares = {column: share for column, share in self._shares(skill).items() if column not in without}
        return max(shares, key=lambda column: shares[column], default=None)

    def _shares(self, skill: Skill) -> dict[str, float]:
        """Return the share of different values that are answers to the skill, by column where it is large enough.

        A column in which fewer than two values are labels has none.
        """
        key = (*skill.labels, "", skill.unsure or "")
        if key not in self._by_answers:
            labels, known = {fold(label) for label in skill.labels}, {fold(label) for label in _known(skill)}
            as_label = Counter(column for label in labels for column in self._with_value.get(label, ()))
            answers = Counter(column for label in known for column in self._with_value.get(label, ()))
            shares = {
                column: answers[column] / len(values) for column, values in self._folded.items() if as_label[column] > 1
            }
            self._by_answers[key] = {column: share for column, share in shares.items() if share >= _MIN_SHARE}
        return self._by_answers[key]


def compare_with_skills(
    skills: Mapping[str, Skill], sources: Mapping[str, Answers], *, complete: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield (skill, sentence) for each difference between the fleet file and the answers.

    Args:
        skills: The skills by name.
        sources: Answers by the name of their table or folder.
        complete: Whether these are all sources: only then is a skill or a label known to have no photo.
    """
    counts, totals = _total(sources)
    columns = Columns(totals)
    tables = {source: Columns(answers.columns) for source, answers in sources.items() if answers.columns}
    for name, skill in skills.items():
        own = counts.get(name, {})
        if not own:
            if complete:
                yield name, no_answer(name, skill, columns)
            continue
        yield from ((name, sentence) for sentence in _renamed_in_some(name, skill, sources, tables))
        answers = _known(skill)
        unknown = {label: count for label, count in own.items() if label not in answers}
        if unknown:
            lines = unknown_labels(unknown, skill.labels)
            named = f"{counted(len(lines), 'answer')} to {name!r} not among its labels: {listed(lines, _EXAMPLES)}"
            yield name, f"{named}{'' if named.endswith('?') else '.'} Correct them, or add to `labels`."
        absent = [repr(label) for label in skill.labels if label not in own]
        if absent and complete:
            yield name, f"no photo has the label {joined(absent, 'or', _EXAMPLES)} of {name!r}. Add photos of it."


def no_answer(name: str, skill: Skill, columns: Columns) -> str:
    """Return the sentence about a skill that no photo answers, with the column that may hold its answers.

    Args:
        name: The skill's name.
        skill: The skill.
        columns: The columns that belong to no skill.
    """
    problem = f"no photo carries an answer to {name!r}"
    column = columns.likely(name, skill)
    if column is None:
        return f"{problem}. Add a column {name!r} to a table, or remove the skill until there are answers."
    return f"{problem}; did you rename {column!r}? {ways_out(name, column)}"


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
    suggestions, twins = Suggestions(labels), {fold(label): label for label in labels}
    lines = []
    for label, count in sorted(counts.items(), key=lambda item: -item[1]):
        photos = f" on {counted(count, 'photo')}" if count else ""
        twin = twins.get(fold(label))
        hidden = None if twin is None else difference(label, twin)
        if hidden is not None:
            lines.append(f"{quoted(label)}{photos}, which looks like {quoted(str(twin))} but has {hidden}")
            continue
        meant = twin or suggestions.closest(label)
        lines.append(f"{quoted(label)}{photos}" + (f"; did you mean {quoted(meant)}?" if meant else ""))
    return lines


def _renamed_in_some(
    name: str, skill: Skill, sources: Mapping[str, Answers], tables: Mapping[str, Columns]
) -> Iterator[str]:
    """Yield a sentence per table whose answers to the skill seem to be in a column of another name."""
    without = [source for source in tables if not sources[source].skills.get(name)]
    if not without:
        return
    beside = {column for answers in sources.values() if answers.skills.get(name) for column in answers.columns}
    for source in without:
        column = tables[source].by_values(skill, beside)
        if column is not None:
            yield (
                f"{source} carries no answer to {name!r}; did you rename {column!r} in other tables? "
                + ways_out(name, column)
            )


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
