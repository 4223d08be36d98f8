"""The report of ingest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Aside(StrEnum):
    """Reasons for leaving a file or row out of the catalogue, beside those of `coachworks.photos.Reason`."""

    DUPLICATE = "duplicate"
    MISSING = "missing"
    OUTSIDE = "outside"
    UNREADABLE = "unreadable"
    MALFORMED_ROW = "malformed-row"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file, or a row of a table, that was left out: one entry of `rejected.json`.

    Attributes:
        file: Name, relative to the folder of its source.
        source: Name of its source.
        reason: One of `Aside` or `coachworks.photos.Reason`.
        message: The same in words.
        same_as: Of a duplicate: the filename in the catalogue that has the same bytes.
        set_id: Of a duplicate: the set that the table puts it in, if it does.
        split: Of a duplicate: the split that the table fixes, if it does.
    """

    file: str
    source: str
    reason: str
    message: str
    same_as: str | None = None
    set_id: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Remark:
    """An entry of a source that was ingested with a correction.

    Attributes:
        file: The photo's or the table's name.
        source: Name of its source.
        message: The problem and the correction.
    """

    file: str
    source: str
    message: str


@dataclass(frozen=True)
class IngestReport:
    """The photos and labels of a result of ingest.

    Attributes:
        photos: Photos in the catalogue.
        new_photos: Photos among them that the previous result did not have.
        duplicates: Files whose bytes are those of a photo already listed.
        rejected: Files and rows that are not in the catalogue, per reason; duplicates are counted above.
        ignored: Files that are clearly not photos (documents, tables); hidden files are not counted.
        skills: Photos per skill and label.
        sets: Sets in the catalogue.
        sources: Photos per source.
        unlabelled: Photos that carry no label of any skill.
        remarks: Entries that were ingested with a correction; the first hundred.
        remarks_count: Number of all remarks.
    """

    STEP: ClassVar[str] = "ingest"

    photos: int
    new_photos: int
    duplicates: int
    rejected: Mapping[str, int]
    ignored: int
    skills: Mapping[str, Mapping[str, int]]
    sets: int
    sources: Mapping[str, int]
    unlabelled: int
    remarks: Sequence[Remark]
    remarks_count: int
