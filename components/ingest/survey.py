"""What a folder of photos holds: the photos, and the labels that a table or its sub-folders give them."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.labels import fold
from coachworks.fleet.names import RESERVED_SKILLS, slug

PHOTO_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
TABLE_SUFFIXES = frozenset({".csv", ".parquet"})
FILENAME_COLUMNS = ("filename", "path", "file")
# Columns that say something about a photo other than what a skill asks.
_KNOWN_COLUMNS = frozenset(
    {*FILENAME_COLUMNS, "set_id", "source", "permission", "taken_at", "split", "photo_id", "box_xyxy"}
)
_UNSURE = "unsure"
_MIN_PHOTOS_PER_LABEL = 3  # on average: a column with fewer rows per value names things rather than classes
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
    """What was found.

    Attributes:
        photos: The folder.
        table: The table that labels the photos; None where sub-folders do.
        count: Photos in the folder.
        labelled: Photos that carry at least one label.
        skills: The skills found, in the table's order.
        left_out: Columns that are no skill, with the reason.
        missing: Files that the table names and the folder lacks.
    """

    photos: Path
    table: Path | None
    count: int
    labelled: int
    skills: Sequence[SkillFound]
    left_out: Mapping[str, str]
    missing: Sequence[str]


def survey(photos: Path, *, table: Path | None = None) -> Survey:
    """Look through a folder of photos, and the table in it or beside it.

    Args:
        photos: The folder.
        table: The CSV or Parquet table to go by; None looks for one, then for sub-folders.

    Raises:
        NotFoundError: there is no such folder or table, or no photo in it.
        DataError: the table cannot be used, or nothing labels the photos.
    """
    names = _photo_names(photos)
    found = _Table.read(table) if table is not None else _find_table(photos, names)
    if found is not None:
        result = _by_table(photos, names, found)
        if result.skills or table is not None:
            return _with_skills(result)
    return _with_skills(_by_folders(photos, names))


@dataclass(frozen=True)
class _Table:
    path: Path
    filename_column: str
    rows: Sequence[Mapping[str, str]]  # by column in lower case, as ingest reads them

    @classmethod
    def read(cls, path: Path) -> "_Table":
        if not path.is_file():
            raise NotFoundError(f"there is no table {str(path)!r}. Name a CSV or Parquet file.")
        rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
        columns = list(rows[0]) if rows else []
        for column in FILENAME_COLUMNS:
            if column in columns:
                return cls(path, column, rows)
        raise DataError(
            f"the table {str(path)!r} must have a column `filename` (or `path`, or `file`) that names the photos; "
            f"its columns: {', '.join(columns) or 'none'}"
        )

    def names(self, photos: Path) -> list[str]:
        """The rows' photos relative to the folder `photos`; the table may name them relative to its own."""
        folder, own = photos.absolute(), self.path.absolute().parent
        prefix = f"{folder.relative_to(own).as_posix()}/" if folder != own and folder.is_relative_to(own) else ""
        written = [row[self.filename_column].strip().replace("\\", "/").removeprefix("./") for row in self.rows]
        return [name.removeprefix(prefix) for name in written]


def _photo_names(photos: Path) -> set[str]:
    if photos.parts[:1] == ("s3:",):
        raise NotFoundError(
            f"PHOTOS must be a folder on this machine; got a bucket, s3://{'/'.join(photos.parts[1:])}. Copy the table "
            "and some photos of every label to a folder, write the fleet file for it, then put the bucket in `photos`."
        )
    if not photos.is_dir():
        what = "it is a file" if photos.exists() else "there is no such folder"
        raise NotFoundError(f"PHOTOS must be a folder of photos; got {str(photos)!r}: {what}.")
    names = {
        path.relative_to(photos).as_posix()
        for path in photos.rglob("*")
        if path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    }
    if not names:
        suffixes = ", ".join(sorted(PHOTO_SUFFIXES))
        raise NotFoundError(
            f"there is no photo in {str(photos)!r}; looked for {suffixes}. Name the folder that holds them."
        )
    return names


def _find_table(photos: Path, names: set[str]) -> _Table | None:
    folder = photos.absolute()
    preferred = (folder.name, "labels", "photos")
    candidates: list[tuple[int, _Table]] = []
    empty_handed: _Table | None = None
    for path in sorted(path for place in (folder, folder.parent) for path in place.iterdir()):
        if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
            continue
        try:
            table = _Table.read(path)
        except DataError:
            continue  # some other table: a list of prices, say
        if names.isdisjoint(table.names(photos)):
            empty_handed = table if path.parent == folder else empty_handed
            continue
        candidates.append((preferred.index(path.stem) if path.stem in preferred else len(preferred), table))
    if not candidates and empty_handed is not None and empty_handed.rows:
        raise _names_no_photo(photos, empty_handed)
    best = [table for rank, table in candidates if rank == min(rank for rank, _ in candidates)]
    if len(best) > 1:
        paths = ", ".join(str(table.path) for table in best)
        raise DataError(f"several tables name these photos: {paths}. Choose one with `--table`.")
    return best[0] if best else None


def _names_no_photo(photos: Path, table: _Table) -> DataError:
    first = table.rows[0][table.filename_column]
    return DataError(
        f"the table {str(table.path)!r} names no photo that is in {str(photos)!r}; its first is {first!r}. "
        f"Write the names in `{table.filename_column}` relative to that folder."
    )


def _by_table(photos: Path, names: set[str], table: _Table) -> Survey:
    written = table.names(photos)
    missing = [name for name in written if name not in names]
    if len(missing) == len(table.rows):
        raise _names_no_photo(photos, table)
    rows = [row for name, row in zip(written, table.rows, strict=True) if name in names]
    skills: list[SkillFound] = []
    left_out: dict[str, str] = {}
    for column in rows[0]:
        if column in _KNOWN_COLUMNS:
            continue
        values = Counter(row[column].strip() for row in rows if row[column].strip())
        reason = _why_no_skill(column, values)
        if reason:
            left_out[column] = reason
        else:
            skills.append(_skill(column, values))
    columns = [skill.name for skill in skills]
    labelled = len({row[table.filename_column] for row in rows if any(row[column].strip() for column in columns)})
    return Survey(photos, table.path, len(names), labelled, skills, left_out, missing)


def _by_folders(photos: Path, names: set[str]) -> Survey:
    counts = Counter(name.split("/")[0] for name in names if "/" in name)
    skills = [_skill(_own_name(photos, "content"), counts)] if len(counts) > 1 else []
    return Survey(photos, None, len(names), counts.total(), skills, {}, [])


def _with_skills(result: Survey) -> Survey:
    if not result.skills:
        left_out = "".join(f" Column `{column}`: {reason}." for column, reason in result.left_out.items())
        raise DataError(
            f"nothing in {str(result.photos)!r} says what its {result.count} photos show.{left_out} Put them into one "
            "folder per label, or add a table `labels.csv` with a column `filename` and a column per skill."
        )
    return result


def _why_no_skill(column: str, values: Counter[str]) -> str | None:
    if len(values) < 2:
        return "fewer than two different values"
    if all(_is_number(value) for value in values):
        return "numbers, not labels"
    if len(values) > _MAX_LABELS or values.total() < _MIN_PHOTOS_PER_LABEL * len(values):
        return f"{len(values)} different values in {values.total()} rows, too many to be labels"
    if column in RESERVED_SKILLS or slug(column) != column:
        return "not a name for a skill: rename it to lower-case letters, digits and hyphens"
    return None


def _skill(name: str, values: Counter[str]) -> SkillFound:
    labels = dict(sorted(values.items()))
    spellings: dict[str, str] = {}
    for label, count in labels.items():
        first = spellings.setdefault(fold(label), label)
        if first != label:
            raise DataError(
                f"labels must differ in more than case or spaces; got {first!r} ({labels[first]} photos) and {label!r} "
                f"({count} photos) for {name!r}. Make them one, in the table or by renaming the folder."
            )
    unsure = spellings.get(_UNSURE)
    return SkillFound(name, {label: count for label, count in labels.items() if label != unsure}, unsure)


def _own_name(photos: Path, otherwise: str) -> str:
    name = slug(photos.absolute().name)
    return otherwise if name in {"", "photos", "images", "data", "pictures", *RESERVED_SKILLS} else name


def fleet_name(photos: Path) -> str:
    """A name for the fleet: that of the folder, or of the one above where it is called `photos` and the like."""
    return _own_name(photos, _own_name(photos.absolute().parent, "fleet-of-skills"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            return list(_csv_rows(csv.DictReader(file, restval="", delimiter=delimiter)))
    except UnicodeDecodeError as err:
        raise DataError(f"the table {str(path)!r} must be UTF-8. Save it as UTF-8 and try again.") from err
    except csv.Error as err:
        raise DataError(f"the table {str(path)!r} is no CSV: {err}") from err


def _csv_rows(reader: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    for row in reader:
        yield {column.strip().lower(): value or "" for column, value in row.items() if column}


def _read_parquet(path: Path) -> list[dict[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"the table {str(path)!r} is no Parquet file: {str(err).splitlines()[0]}") from err
    return [{column.lower(): "" if value is None else str(value) for column, value in row.items()} for row in rows]
