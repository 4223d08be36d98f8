"""Answers of a fleet's sources before anything is ingested: tables on this machine, and names of sub-folders."""

import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from coachworks.fleet.answers import Answers
from coachworks.fleet.model import Fleet, Source
from components.ingest.folder_walk import is_entered
from components.ingest.listing import is_skipped, printable
from components.ingest.places import in_bucket, read_table_file
from components.ingest.source_table import read_source_table
from components.ingest.spelling import Spelling
from components.ingest.table_file import cell_text

_MOST_BYTES = 64_000_000  # of a table that is read for its first rows


def read_answers(source: Source, fleet: Fleet, most_cells: int | None = None) -> Answers | None:
    """Read the answers of a source without looking at its photos.

    Args:
        source: The source.
        fleet: The fleet.
        most_cells: Cells of a table, or names in a folder, after which to stop; None: all.

    Returns:
        The answers; None where they are in a bucket, missing, or more than can be read in a moment.

    Raises:
        DataError: the table cannot be used.
    """
    place = source.table or source.photos
    if in_bucket(place):
        return None
    if source.table is None:
        return _of_folders(source, fleet, most_cells) if Path(place).is_dir() else None
    if not Path(place).is_file() or (most_cells is not None and Path(place).stat().st_size > _MOST_BYTES):
        return None
    name, data = posixpath.basename(place), read_table_file(place)
    table = read_source_table(name, data, fleet.spec.skills, fleet.renamed, most_cells)
    answers = gather_answers(((row.answers, row.attributes) for row in table.rows), fleet)
    return replace(answers, complete=not table.cut)


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


def _of_folders(source: Source, fleet: Fleet, most: int | None) -> Answers:
    skill, folder = str(source.skill), os.path.realpath(source.photos)

    def is_label(entry: os.DirEntry[str]) -> bool:
        if is_skipped(entry.name) or not entry.is_dir():
            return False
        return not entry.is_symlink() or is_entered(Path(entry.path), folder, follow_links=source.follow_links)

    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, most) if is_label(entry)]
        complete = next(entries, None) is None
    spelling = Spelling(fleet.spec.skills)
    answers = {spelling.spelt({skill: printable(name)})[skill]: 0 for name in sorted(names)}
    return Answers({skill: answers}, complete=complete)
