"""The tables of the store: columns and types, in one place.

All are Parquet. Columns named here are typed; further columns (attributes such as `make` or `market`) are kept.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# column -> Arrow type, as `pyarrow.type_for_alias` spells it
CATALOGUE = {
    "photo_id": "string",  # SHA-256 of the file
    "uri": "string",  # key in the store
    "filename": "string",  # unique; relative to its source's folder
    "source": "string",
    "permission": "string",
    "set_id": "string",
    "split": "string",  # if the source's table fixes it, else null
    "taken_at": "timestamp[us]",  # EXIF or the table, local time of the camera; else null
    "ingested_at": "timestamp[us]",  # UTC
    "width_px": "int32",  # upright
    "height_px": "int32",
    "format": "string",
    "sharpness": "float64",  # variance of the Laplacian of the grey photo at 256 px
    "brightness": "float64",  # mean of the grey photo, in [0, 1]
    "contrast": "float64",  # standard deviation of the grey photo, in [0, 0.5]
    "perceptual_hash": "string",  # 64-bit difference hash, 16 hexadecimal digits
}
VOTES = {
    "photo_id": "string",
    "skill": "string",
    "annotator": "string",
    "label": "string",
    "answered_at": "timestamp[us]",
}
LABELS = {
    "photo_id": "string",
    "skill": "string",
    "label": "string",  # null: unsure, or contradictory votes
    "confidence": "float64",  # share of the votes that agree with the label, in [0, 1]
    "votes": "int32",
    "agreement": "float64",  # share of the most frequent answer, in [0, 1]
}
SPLIT_LABELS = {**LABELS, "split": "string"}  # train, validation or test
SPLITS = ("train", "validation", "test")
# Columns of a skill's suspicious-labels.csv beside `filename`, `photo_id` and the empty one for people's answers, which
# has the skill's name. Ingest reads that one and leaves these out.
SUSPICIOUS_LABELS = (
    "suspicion_rank",
    "given_label",
    "given_probability",
    "proposed_label",
    "proposed_probability",
    "photo_set",
    "photo_split",
)


def with_present_names(frame: "pd.DataFrame", renamed: Mapping[str, str]) -> "pd.DataFrame":
    """Return a table of votes or labels with the skills' present names, for tables from before a skill was renamed.

    Args:
        frame: A table with a column `skill`.
        renamed: The present name by earlier name. A skill that has rows under its present name keeps only those.
    """
    skills = set(frame["skill"])
    outdated = [was for was, name in renamed.items() if name in skills]
    return frame[~frame["skill"].isin(outdated)].assign(skill=lambda rows: rows["skill"].replace(dict(renamed)))


def arrow_schema(columns: dict[str, str]) -> "pa.Schema":
    """Return the Arrow schema of a table."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])


def write_table(frame: "pd.DataFrame", path: Path, columns: dict[str, str]) -> None:
    """Write `frame` to `path`: the named columns first and typed, all others kept as they are.

    Raises:
        DataError: a named column is missing or holds values of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(f"table must have the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    extra = [name for name in frame.columns if name not in columns]
    # pandas gives a column without values an arbitrary type, which Arrow would not cast.
    empty = {name: None for name in columns if frame[name].isna().all()}
    try:
        typed = pa.Table.from_pandas(
            frame[list(columns)].assign(**empty), schema=arrow_schema(columns), preserve_index=False
        )
    except pa.ArrowException as err:
        raise DataError(f"table {path.name} holds a value of the wrong type: {err}") from err
    if extra:
        rest = pa.Table.from_pandas(frame[extra], preserve_index=False)
        for field, column in zip(rest.schema, rest.columns, strict=True):
            typed = typed.append_column(field, column)
    pq.write_table(typed.replace_schema_metadata(None), path, compression="zstd")


def read_table(path: Path) -> "pd.DataFrame":
    """Read a table; missing values are None, NaN or NaT by type."""
    import pandas as pd

    return pd.read_parquet(path)
