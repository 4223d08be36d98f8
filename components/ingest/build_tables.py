"""Catalogue, votes and labels, built photo by photo; byte-equal files become one photo."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from coachworks.digests import canonical_json
from coachworks.fleet.answers import Columns, no_answer
from coachworks.fleet.model import Fleet
from coachworks.tables import CATALOGUE, LABELS, VOTES, write_table
from components.ingest.boxes import with_checked_frame
from components.ingest.listing import SourceFile, printable, unreadable
from components.ingest.photo_index import Facts, PhotoIndex
from components.ingest.report import Aside, IngestReport, Rejection, Remark
from components.ingest.source_answers import gather_answers
from components.ingest.source_files import Item
from components.ingest.spelling import Spelling
from components.ingest.take_in import Outcome

_SETS = uuid.UUID("5e1f0f62-9d0b-5c0e-8d6a-6a0f2c1b7a11")  # namespace of the sets of photos that name none
_REMARKS_SHOWN = 100
_FACTS, _REJECTION, _REMARK = (tuple(each.name for each in fields(kind)) for kind in (Facts, Rejection, Remark))
_quoted = json.encoder.encode_basestring  # `json.dumps` of one text, without its overhead: there may be millions


@dataclass
class Entry:
    """A photo of the catalogue.

    Attributes:
        facts: Facts read from its bytes.
        file: The first of its files.
        filename: Its name in the catalogue.
        source: Source of the first file. This and the rest come from the first file; further files fill gaps.
        permission: Licence or permission.
        set_id: Set in the table, else None.
        split: Split in the table, else None.
        taken_at: Date in the table, else None.
        attributes: Further columns.
        votes: (skill, annotator, label).
    """

    facts: Facts
    file: SourceFile
    filename: str
    source: str
    permission: str | None = None
    set_id: str | None = None
    split: str | None = None
    taken_at: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    votes: list[tuple[str, str, str]] = field(default_factory=list)

    def add_row(self, item: Item, answers: Mapping[str, str]) -> list[str]:
        """Fill gaps from the row of a file of the photo, and add its answers as votes; return what was left out."""
        row = item.row
        attributes, problems = with_checked_frame(row.attributes, self.facts.width_px, self.facts.height_px)
        self.permission = self.permission or item.permission
        self.set_id = self.set_id or row.set_id
        self.split = self.split or row.split
        self.taken_at = self.taken_at or row.taken_at
        self.attributes = {**attributes, **self.attributes}
        annotator = f"{item.source}:{printable(item.file.name)}"
        for skill, label in answers.items():
            vote = (skill, annotator, label)
            if vote not in self.votes:
                self.votes.append(vote)
        return problems


@dataclass(frozen=True)
class Label:
    """Consensus of the votes on one photo and skill; fields as the columns of `tables.LABELS`."""

    label: str | None
    confidence: float | None
    votes: int
    agreement: float


@lru_cache(maxsize=4096)  # hundreds of thousands of photos, few different combinations of answers
def majority(answers: tuple[str, ...], unsure: str | None) -> Label:
    """Return the most frequent answer as the label; no label where it is tied or is the skill's `unsure`.

    >>> majority(("good", "good", "blurry"), None).label
    'good'
    >>> majority(("good", "blurry"), None)
    Label(label=None, confidence=None, votes=2, agreement=0.5)
    """
    (first, most), *others = Counter(answers).most_common(2)
    agreement = most / len(answers)
    tied = bool(others) and others[0][1] == most
    if tied or first == unsure:
        return Label(None, None, len(answers), agreement)
    return Label(first, agreement, len(answers), agreement)


class Gathering:
    """Tables under construction, to which files are added one by one."""

    def __init__(self, fleet: Fleet) -> None:
        self._unsure = {name: skill.unsure for name, skill in fleet.spec.skills.items()}
        self._fleet = fleet
        self._spelling = Spelling(fleet.spec.skills)
        self.entries: dict[str, Entry] = {}
        self.rejections: list[Rejection] = []
        self.remarks: list[Remark] = []
        self.ignored = 0
        self._filenames: set[str] = set()

    def add(self, item: Item, outcome: Outcome) -> None:
        """Add one file to the tables, or set it aside."""
        name = printable(item.file.name)
        if isinstance(outcome, OSError):
            self.rejections.append(unreadable(name, item.source, outcome))
        elif not isinstance(outcome, Facts):
            self.rejections.append(Rejection(name, item.source, outcome.reason, outcome.message))
        elif (entry := self.entries.get(outcome.photo_id)) is None:
            entry = Entry(outcome, item.file, self._unique(name, item.origin), item.source)
            self.entries[outcome.photo_id] = entry
            self._add_row(entry, item, name, self._answers(item, name, outcome))
        else:
            self._add_duplicate(entry, item, name, self._answers(item, name, outcome))

    def _answers(self, item: Item, name: str, photo: Facts) -> dict[str, str]:
        """Return the answers of a row; none where they are about another photo, as the row itself says."""
        answers, photo_id = item.row.answers, item.row.photo_id
        if answers and photo_id not in (None, photo.photo_id):
            message = f"line {item.row.line} answers about another photo, photo_id {photo_id}: the answers are left out"
            self.remarks.append(Remark(name, item.source, message))
            return {}
        return self._spelling.spelt(answers)

    def _add_row(self, entry: Entry, item: Item, name: str, answers: Mapping[str, str]) -> None:
        problems = entry.add_row(item, answers)
        self.remarks += [Remark(name, item.source, problem) for problem in problems]

    def _add_duplicate(self, entry: Entry, item: Item, name: str, answers: Mapping[str, str]) -> None:
        self._add_row(entry, item, name, answers)
        if entry.file.true_place() == item.file.true_place():
            return  # one file that two sources list: nothing to set aside
        message = f"it has the same bytes as {entry.filename}"
        self.rejections.append(
            Rejection(
                name,
                item.source,
                Aside.DUPLICATE,
                message,
                same_as=entry.filename,
                set_id=item.row.set_id,
                split=item.row.split,
            )
        )

    def _unique(self, name: str, origin: str) -> str:
        unique, count = name, 1
        while unique in self._filenames:
            unique = f"{origin}/{name}" if count == 1 else f"{origin}-{count}/{name}"
            count += 1
        self._filenames.add(unique)
        return unique

    def digest(self) -> str:
        """Return the digest of the tables' content, except the times of ingestion."""
        hasher = hashlib.sha256()
        for entry in self.entries.values():
            row = {**_catalogue_row(entry), "votes": entry.votes, "attributes": entry.attributes}
            hasher.update(json.dumps(row, sort_keys=True, default=str).encode())
        voted = {(skill, label) for entry in self.entries.values() for skill, _, label in entry.votes}
        # `unsure` affects the labels only where an annotator answered it.
        skills = {skill: unsure if (skill, unsure) in voted else None for skill, unsure in self._unsure.items()}
        for names, noted in ((_REJECTION, self.rejections), (_REMARK, self.remarks)):
            values = attrgetter(*names)
            for each in noted:  # one by one: a table may name millions of missing photos
                texts = ["null" if value is None else _quoted(value) for value in values(each)]
                hasher.update(f"[{', '.join(texts)}]".encode())
        hasher.update(canonical_json([skills, self.ignored]).encode())
        return hasher.hexdigest()

    def unanswered(self) -> Iterator[str]:
        """Yield a sentence for each skill that no photo answers."""
        answered = {skill for entry in self.entries.values() for skill, _, _ in entry.votes}
        missing = [name for name in self._fleet.spec.skills if name not in answered]
        if missing:
            answers = gather_answers((({}, entry.attributes) for entry in self.entries.values()), self._fleet)
            columns = Columns(answers.columns)
            yield from (no_answer(name, self._fleet.skill(name), columns) for name in missing)

    def labels(self) -> Iterator[tuple[str, str, Label]]:
        """Yield (photo_id, skill, label) of every photo and skill with votes, skills in the fleet's order."""
        for photo_id, entry in self.entries.items():
            answers: dict[str, list[str]] = {}
            for skill, _, label in entry.votes:
                answers.setdefault(skill, []).append(label)
            for skill, unsure in self._unsure.items():
                if skill in answers:
                    yield photo_id, skill, majority(tuple(answers[skill]), unsure)

    def write(self, folder: Path, index: PhotoIndex) -> list[tuple[str, str, Label]]:
        """Write the tables and `rejected.json` into `folder`; return the labels for the report."""
        import pandas as pd

        rows = [
            {**_catalogue_row(entry), "ingested_at": index.arrived_at(photo_id)}
            for photo_id, entry in self.entries.items()
        ]
        catalogue = pd.DataFrame({name: [row[name] for row in rows] for name in CATALOGUE})
        for name, values in self._attributes().items():
            catalogue[name] = pd.Series(values, dtype=object)
        write_table(catalogue, folder / "catalogue.parquet", CATALOGUE)
        votes = [(photo_id, *vote) for photo_id, entry in self.entries.items() for vote in entry.votes]
        frame = pd.DataFrame(votes, columns=["photo_id", "skill", "annotator", "label"], dtype=object)
        write_table(frame.assign(answered_at=None), folder / "votes.parquet", VOTES)
        labels = list(self.labels())
        columns = {"photo_id": [row[0] for row in labels], "skill": [row[1] for row in labels]}
        fields = {name: [getattr(row[2], name) for row in labels] for name in Label.__dataclass_fields__}
        write_table(pd.DataFrame({**columns, **fields}), folder / "labels.parquet", LABELS)
        write_rejections(self.rejections, folder / "rejected.json")
        return labels

    def _attributes(self) -> dict[str, list[Any]]:
        """Return further columns by name; one with values of several types (from two tables) becomes text."""
        names = dict.fromkeys(name for entry in self.entries.values() for name in entry.attributes)
        columns = {name: [entry.attributes.get(name) for entry in self.entries.values()] for name in names}
        for name, values in columns.items():
            if len({type(value) for value in values if value is not None}) > 1:
                columns[name] = [None if value is None else str(value) for value in values]
        return columns

    def report(self, labels: list[tuple[str, str, Label]], known: frozenset[str]) -> IngestReport:
        """Return the report; `known` are the photos of the previous result."""
        skills: dict[str, Counter[str]] = {skill: Counter() for skill in self._unsure}
        labelled = set()
        for photo_id, skill, label in labels:
            if label.label is not None:
                skills[skill][label.label] += 1
                labelled.add(photo_id)
        reasons = Counter(str(rejection.reason) for rejection in self.rejections)
        return IngestReport(
            photos=len(self.entries),
            new_photos=len(self.entries.keys() - known),
            duplicates=reasons.pop(Aside.DUPLICATE, 0),
            rejected=dict(sorted(reasons.items())),
            ignored=self.ignored,
            skills={skill: dict(sorted(counts.items())) for skill, counts in skills.items()},
            sets=len({_set_of(entry) for entry in self.entries.values()}),
            sources=dict(Counter(entry.source for entry in self.entries.values())),
            unlabelled=len(self.entries) - len(labelled),
            remarks=self.remarks[:_REMARKS_SHOWN],
            remarks_count=len(self.remarks),
        )


def write_rejections(rejections: Sequence[Rejection], file: Path) -> None:
    """Write a JSON list of the rejections, one by one: there may be millions."""
    with file.open("w", encoding="utf-8", newline="\n") as target:
        keys, values, before = [f'"{name}": ' for name in _REJECTION], attrgetter(*_REJECTION), "[\n "
        for each in rejections:
            entry = [key + _quoted(value) for key, value in zip(keys, values(each), strict=True) if value is not None]
            target.write(f"{before}{{{', '.join(entry)}}}")
            before = ",\n "
        target.write("\n]" if rejections else "[]")


def _set_of(entry: Entry) -> str:
    return entry.set_id or str(uuid.uuid5(_SETS, entry.facts.photo_id))


def _catalogue_row(entry: Entry) -> Mapping[str, Any]:
    facts = entry.facts
    exif = datetime.fromisoformat(facts.taken_at) if facts.taken_at else None
    return {
        **{name: getattr(facts, name) for name in _FACTS},
        "filename": entry.filename,
        "source": entry.source,
        "permission": entry.permission,
        "set_id": _set_of(entry),
        "split": entry.split,
        "taken_at": entry.taken_at or exif,  # the table wins: its authors may know that the camera's clock was wrong
    }
