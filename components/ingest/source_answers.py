"""Answers of a fleet's sources before anything is ingested: tables on this machine, and names of sub-folders."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from coachworks.fleet.answers import Answers
from coachworks.fleet.model import Fleet, Source
from components.ingest.listing import is_skipped, printable
from components.ingest.places import in_bucket, read_table_file
from components.ingest.source_table import read_source_table
from components.ingest.spelling import Spelling
from components.ingest.table_file import cell_text


def read_answers(source: Source, fleet: Fleet) -> Answers | None:
    """Read the answers of a source without looking at its photos.

    Returns:
        The answers; None where they are in a bucket, or missing.

    Raises:
        DataError: the table cannot be used.
    """
    place = source.table or source.photos
    if in_bucket(place) or not Path(place).exists():
        return None
    if source.table is None:
        return _of_folders(Path(place), str(source.skill), fleet)
    table = read_source_table(posixpath.basename(place), read_table_file(place), fleet.spec.skills, fleet.renamed)
    return gather_answers(((row.answers, row.attributes) for row in table.rows), fleet)


def gather_answers(photos: Iterable[tuple[Mapping[str, str], Mapping[str, object]]], fleet: Fleet) -> Answers:
    """Count the answers and the values of other columns of photos.

    Args:
        photos: Answers by skill, and other values by column, of each photo.
        fleet: The fleet: its labels are spelt as in its file.
    """
    spelling = Spelling(fleet.spec.skills)
    skills: dict[str, Counter[str]] = defaultdict(Counter)
    columns: dict[str, Counter[str]] = defaultdict(Counter)
    for answers, values in photos:
        for skill, label in spelling.spelt(answers).items():
            skills[skill][label] += 1
        for column, value in values.items():
            columns[column][cell_text(value)] += 1
    return Answers(skills, columns)


def _of_folders(photos: Path, skill: str, fleet: Fleet) -> Answers:
    names = [entry.name for entry in photos.iterdir() if entry.is_dir() and not is_skipped(entry.name)]
    spelling = Spelling(fleet.spec.skills)
    return Answers({skill: {spelling.spelt({skill: printable(name)})[skill]: 0 for name in sorted(names)}})
