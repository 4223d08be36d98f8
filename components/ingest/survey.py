"""Survey of a folder of photos: the photos, and the labels that a table or its sub-folders give them."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.look_alikes import fold
from coachworks.fleet.names import RESERVED_SKILLS, slug
from coachworks.photos import SUFFIXES, has_photo_head
from coachworks.wording import counted
from components.ingest.folder_walk import FolderFile, walk_folder
from components.ingest.listing import is_document, printable
from components.ingest.name_match import NameMatch, match_rows
from components.ingest.places import read_table_file
from components.ingest.report import Aside, Rejection
from components.ingest.source_table import COMPUTED_COLUMNS, KNOWN_COLUMNS, interpret
from components.ingest.table_file import FILENAME_COLUMNS, TABLE_SUFFIXES, TableFile, cell_text, cell_value, parse_table

# Columns that describe a photo rather than answer a skill's question.
_DESCRIBING = {*FILENAME_COLUMNS, *KNOWN_COLUMNS, *COMPUTED_COLUMNS, "box_xyxy", "rotation_degrees"}
_UNSURE = "unsure"
_MIN_PHOTOS_PER_LABEL = 3  # on average: a column with fewer photos per value names things rather than classes
_MAX_LABELS = 1000


@dataclass(frozen=True)
class SkillFound:
    """A skill that a column or the sub-folders suggest.

    Attributes:
        name: Name for the skill.
        labels: Photos per label, by label.
        unsure: The answer that means "I cannot say", if there is one among the values.
    """

    name: str
    labels: Mapping[str, int]
    unsure: str | None = None


@dataclass(frozen=True)
class Survey:
    """Photos and labels of a folder.

    Attributes:
        photos: The folder.
        table: The table that labels the photos; None where sub-folders do.
        count: Photos in the folder.
        labelled: Photos that carry at least one label.
        skills: The suggested skills, in the table's order.
        left_out: Columns that are no skill, with the reason.
        missing: Files that the table names and the folder lacks.
        links_out: Symbolic links that lead out of the folder and were not followed.
        follow_links: Whether such links were followed.
    """

    photos: Path
    table: Path | None
    count: int
    labelled: int
    skills: Sequence[SkillFound]
    left_out: Mapping[str, str]
    missing: Sequence[str]
    links_out: int = 0
    follow_links: bool = False


def survey(photos: Path, *, table: Path | None = None, follow_links: bool = False) -> Survey:
    """Survey a folder of photos, and the table in it or beside it.

    Photos and tables are read as `ingest` reads them, so that a fleet file written from the survey runs.

    Args:
        photos: The folder.
        table: The CSV or Parquet table that labels the photos; None looks for one, then for sub-folders.
        follow_links: Whether to follow symbolic links that lead out of the folder.

    Raises:
        NotFoundError: there is no such folder or table, or no photo in it.
        DataError: the table cannot be used, or nothing labels the photos.
    """
    names, links_out = _photo_names(photos, follow_links=follow_links)
    candidate = _read_table(table) if table is not None else _find_table(photos, names)
    if candidate is not None:
        result = _by_table(photos, names, candidate)
        if result.skills or table is not None:
            return replace(_with_skills(result), links_out=links_out, follow_links=follow_links)
    return replace(_with_skills(_by_folders(photos, names)), links_out=links_out, follow_links=follow_links)


@dataclass(frozen=True)
class _Table:
    path: Path
    cells: TableFile
    filenames: Sequence[str]

    def match(self, photos: Path, names: set[str]) -> NameMatch:
        return NameMatch(str(photos.absolute()), str(self.path.absolute()), names)


def _read_table(path: Path) -> _Table:
    if not path.is_file():
        raise NotFoundError(f"there is no table {str(path)!r}. Name a CSV or Parquet file.")
    table = parse_table(str(path), read_table_file(str(path)))
    index = table.columns.index(table.filename_column())
    values = (cell_value(cells[index]) for _, cells in table.lines() if index < len(cells))
    return _Table(path, table, [cell_text(value) for value in values if value is not None])


def _photo_names(photos: Path, *, follow_links: bool) -> tuple[set[str], int]:
    """Return the names of the photos, and the number of links that were not followed."""
    if photos.parts[:1] == ("s3:",):
        raise NotFoundError(
            f"PHOTOS must be a folder on this machine; got a bucket, s3://{'/'.join(photos.parts[1:])}. Copy the table "
            "and some photos of every label to a folder, write the fleet file for it, then put the bucket in `photos`."
        )
    if not photos.is_dir():
        problem = "it is a file" if photos.exists() else "there is no such folder"
        raise NotFoundError(f"PHOTOS must be a folder of photos; got {str(photos)!r}: {problem}.")
    names, links_out = set(), 0
    for file in walk_folder(str(photos), photos.name, follow_links=follow_links):
        if isinstance(file, FolderFile) and _is_photo(file):
            names.add(file.name)
        links_out += isinstance(file, Rejection) and file.reason == Aside.OUTSIDE
    if not names and links_out:
        raise NotFoundError(
            f"there is no photo in {str(photos)!r} but {counted(links_out, 'symbolic link')} out of it. "
            f"Follow links with `coachworks init {shlex.quote(str(photos))} --follow-links`, or copy the photos."
        )
    if not names:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise NotFoundError(
            f"there is no photo in {str(photos)!r}; looked for {suffixes}. Name the folder that holds them."
        )
    return names, links_out


def _is_photo(file: FolderFile) -> bool:
    """Return whether a file looks like a photo; the first bytes decide where the suffix does not."""
    if PurePosixPath(file.name).suffix.lower() in SUFFIXES:
        return True
    if is_document(file.name):
        return False
    try:
        return has_photo_head(file.read(64))
    except OSError:
        return False


def _find_table(photos: Path, names: set[str]) -> _Table | None:
    folder = photos.absolute()
    preferred = (folder.name, "labels", "photos")
    candidates: list[tuple[int, _Table]] = []
    without_photos: _Table | None = None
    for path in sorted(path for place in (folder, folder.parent) for path in place.iterdir()):
        if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
            continue
        try:
            table = _read_table(path)
        except DataError:
            continue  # some other table: a list of prices, say
        match = table.match(photos, names)
        if not any(isinstance(match.find(name), str) for name in table.filenames):
            without_photos = table if path.parent == folder else without_photos
            continue
        candidates.append((preferred.index(path.stem) if path.stem in preferred else len(preferred), table))
    if not candidates and without_photos is not None and without_photos.filenames:
        raise _names_no_photo(photos, without_photos)
    best = [table for rank, table in candidates if rank == min(rank for rank, _ in candidates)]
    if len(best) > 1:
        paths = ", ".join(str(table.path) for table in best)
        raise DataError(f"several tables name these photos: {paths}. Choose one with `--table`.")
    return best[0] if best else None


def _names_no_photo(photos: Path, table: _Table) -> DataError:
    first = next(iter(table.filenames), "")
    return DataError(
        f"the table {str(table.path)!r} names no photo that is in {str(photos)!r}; its first is {first!r}. "
        f"Write the names in `{table.cells.filename_column()}` relative to that folder."
    )


def _by_table(photos: Path, names: set[str], table: _Table) -> Survey:
    columns, left_out = _skill_columns(table.cells)
    rows, without = match_rows(str(table.path), interpret(table.cells, columns).rows, table.match(photos, names))
    if not rows:
        raise _names_no_photo(photos, table)
    skills: list[SkillFound] = []
    for name, column in columns.items():
        values = Counter(row.answers[name] for row in rows.values() if name in row.answers)
        reason = _why_no_skill(values)
        if reason:
            left_out[column] = reason
        else:
            skills.append(_skill(name, values))
    suggested = {skill.name for skill in skills}
    labelled = sum(not suggested.isdisjoint(row.answers) for row in rows.values())
    return Survey(photos, table.path, len(names), labelled, skills, left_out, [row.filename for row, _ in without])


def _skill_columns(cells: TableFile) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns that may be skills, by the skill's name, and the reasons against others, by column."""
    columns: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for column in cells.columns:
        name = slug(column)
        if not column.strip() or column.strip().lower() in _DESCRIBING:
            continue
        if not name or not column.isascii() or name in RESERVED_SKILLS:
            left_out[column] = "not a name for a skill: rename it to lower-case letters, digits and hyphens"
        else:
            columns.setdefault(name, column)  # `interpret` refuses a second one
    return columns, left_out


def _by_folders(photos: Path, names: set[str]) -> Survey:
    counts = Counter(printable(name.split("/")[0]) for name in names if "/" in name)
    skills = [_skill(_own_name(photos, "content"), counts)] if len(counts) > 1 else []
    return Survey(photos, None, len(names), counts.total(), skills, {}, [])


def _with_skills(result: Survey) -> Survey:
    if not result.skills:
        left_out = "".join(f" Column `{column}`: {reason}." for column, reason in result.left_out.items())
        unread = "".join(f" {str(err).rstrip('.')}." for err in _unread_tables(result.photos))
        photos = counted(result.count, "photo")
        raise DataError(
            f"nothing in {str(result.photos)!r} says what its {photos} show.{left_out}{unread} Put them into one "
            "folder per label, or add a table `labels.csv` with a column `filename` and a column per skill."
        )
    return result


def _unread_tables(photos: Path) -> Iterator[DataError]:
    """Yield the reasons why tables in the folder do not label its photos, such as another name of a column."""
    for path in sorted(each for each in photos.iterdir() if each.suffix.lower() in TABLE_SUFFIXES and each.is_file()):
        try:
            _read_table(path)
        except DataError as err:
            yield err


def _why_no_skill(values: Counter[str]) -> str | None:
    if len(values) < 2:
        return "fewer than two different values"
    if all(_is_number(value) for value in values):
        return "numbers, not labels"
    if len(values) > _MAX_LABELS or values.total() < _MIN_PHOTOS_PER_LABEL * len(values):
        return f"{len(values)} different values in {values.total()} rows, too many to be labels"
    return None


def _skill(name: str, values: Counter[str]) -> SkillFound:
    labels = dict(sorted(values.items()))
    spellings: dict[str, str] = {}
    for label, count in labels.items():
        first = spellings.setdefault(fold(label), label)
        if first != label:
            raise DataError(
                f"labels must differ in more than case or spaces; got {first!r} ({counted(labels[first], 'photo')}) "
                f"and {label!r} ({counted(count, 'photo')}) for {name!r}. Make them one, in the table or by renaming "
                "the folder."
            )
    unsure = spellings.get(_UNSURE)
    return SkillFound(name, {label: count for label, count in labels.items() if label != unsure}, unsure)


def _own_name(photos: Path, otherwise: str) -> str:
    name = slug(photos.absolute().name)
    return otherwise if name in {"", "photos", "images", "data", "pictures", *RESERVED_SKILLS} else name


def fleet_name(photos: Path) -> str:
    """Return a name for the fleet: that of the folder, or of its parent where it is called `photos` or the like."""
    return _own_name(photos, _own_name(photos.absolute().parent, "fleet-of-skills"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
