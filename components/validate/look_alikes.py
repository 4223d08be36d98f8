"""Look-alikes among the photos: a result keeps the likenesses, so that the next one compares new pairs only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.context import Context
from coachworks.errors import DamagedError, NotFoundError
from coachworks.results import latest
from components.validate.config import ValidateConfig
from validation import NearDuplicates, find_near_duplicates

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

LIKENESSES = "likenesses.parquet"
_CODE = b"code"


def find_look_alikes(
    photos: "pd.DataFrame",
    read: "Callable[[str], Image.Image | None]",
    config: ValidateConfig,
    context: Context,
    *,
    folder: Path,
    code: str,
) -> NearDuplicates:
    """Find the pairs of photos that look alike, and write the likeness of each compared pair into `folder`.

    Pairs that the latest result compared, with the same code, are not compared again, unless the run does the step
    again. The outcome is the same: a likeness depends on the two photos alone.

    Args:
        photos: The catalogue, each photo once.
        read: Returns a photo by its id, or None if it is unreadable.
        config: Settings.
        context: The surroundings of the task.
        folder: Folder of the result.
        code: Digest of the step's code.
    """
    near = find_near_duplicates(
        photos["photo_id"].tolist(),
        photos["perceptual_hash"].tolist(),
        read,
        distance=config.near_duplicate_distance,
        similarity=config.near_duplicate_similarity,
        compared={} if "validate" in context.refresh else _likenesses_before(context, code),
        progress=context.progress,
    )
    _write(near.likenesses, folder / LIKENESSES, code)
    return near


def _likenesses_before(context: Context, code: str) -> dict[tuple[str, str], float]:
    """Return the likenesses that the latest result keeps; none if other code computed them."""
    store = context.store
    try:
        file = store.fetch(f"results/validate/{latest(store, 'validate')}/{LIKENESSES}")
    except NotFoundError:
        return {}
    except DamagedError as err:
        context.progress.note(f"comparing all look-alikes again: {err}")
        return {}
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    if (table.schema.metadata or {}).get(_CODE) != code.encode():
        return {}
    first, second, likeness = (column.to_pylist() for column in table.columns)
    return dict(zip(zip(first, second, strict=True), likeness, strict=True))


def _write(likenesses: Mapping[tuple[str, str], float], file: Path, code: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [("first", pa.string()), ("second", pa.string()), ("likeness", pa.float64())], metadata={_CODE: code}
    )
    rows = [[first for first, _ in likenesses], [second for _, second in likenesses], list(likenesses.values())]
    pq.write_table(pa.table(rows, schema=schema), file, compression="zstd")
