"""Near duplicates: photos that show the same thing in nearly the same way.

Two measures, one after the other. The 64-bit difference hashes of all photos are compared, which is cheap and misses
little; on plain backgrounds it also takes things for alike that are not. So each candidate is confirmed on small grey
thumbnails: after the broad light and shade is taken away, what is left must correlate.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coachworks.cpu_limit import usable_cores
from coachworks.progress import SILENT, Progress

if TYPE_CHECKING:
    from PIL import Image

SIDE_PX = 32
_SHADE_RADIUS_PX = 4  # structure wider than 9 of 32 pixels is light and shade, not the thing
_SHIFT_PX = 2  # a hand-held second photo is off by a few per cent of its width
_LEAST_STRUCTURE = 1.0  # grey levels; below, there is nothing to compare but noise
_BLOCK = 1 << 22  # hash pairs compared at a time: 32 MB
_CROWD = 20  # photos of one and the same hash beyond which not all pairs are formed


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Pairs of photos that look alike.

    Attributes:
        pairs: Photo ids; in each pair, and among the pairs, in the order of the photos.
        candidates: Pairs whose hashes were close.
    """

    pairs: tuple[tuple[str, str], ...]
    candidates: int


def find_near_duplicates(
    photo_ids: Sequence[str],
    hashes: Sequence[str | None],
    read: Callable[[str], "Image.Image | None"],
    *,
    distance: int,
    similarity: float,
    progress: Progress = SILENT,
) -> NearDuplicates:
    """The pairs of photos that look alike.

    Args:
        photo_ids: The photos.
        hashes: Their 64-bit perceptual hashes, 16 hexadecimal digits; None where there is none.
        read: Gives a photo as RGB, 64 px or more on the shorter side, or None if it cannot be read; from threads.
        distance: Most bits in which the hashes of a pair may differ.
        similarity: Least correlation of a pair's structure, in [0, 1].
        progress: Where the work reports to.
    """
    known = [index for index, value in enumerate(hashes) if _is_hash(value)]
    left, right = close_pairs(np.array([int(str(hashes[index]), 16) for index in known], dtype=np.uint64), distance)
    wanted = np.unique(np.concatenate([left, right]))
    structures: dict[int, np.ndarray] = {}
    with (
        progress.task("compare look-alikes", total=len(wanted), unit="photos") as task,
        ThreadPoolExecutor(usable_cores()) as pool,  # decoding leaves the interpreter lock alone
    ):
        drawn = pool.map(lambda position: _structure_of(read(photo_ids[known[position]])), wanted.tolist())
        for position, found in zip(wanted.tolist(), drawn, strict=True):
            if found is not None:
                structures[position] = found
            task.advance()
    pairs = [
        (photo_ids[known[a]], photo_ids[known[b]])
        for a, b in zip(left.tolist(), right.tolist(), strict=True)
        if a in structures and b in structures and likeness(structures[a], structures[b]) >= similarity
    ]
    return NearDuplicates(pairs=tuple(pairs), candidates=len(left))


def close_pairs(hashes: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs whose hashes differ in at most `distance` bits.

    All pairs are compared, block by block: 10,000 photos take a fraction of a second and 100,000 some twenty seconds,
    in memory that does not grow with the photos. Where more than a few photos share one hash (plain walls do),
    only neighbours among them are paired, lest the pairs grow with the square.

    Args:
        hashes: uint64, shape (N,).
        distance: Most differing bits, in [0, 64].

    Returns:
        Two int64 arrays of equal length, the smaller index first, sorted.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1) if len(hashes) else []
    alone = np.array([len(group) == 1 for group in members], dtype=bool)
    only = np.array([group[0] for group in members], dtype=np.int64)
    found = [_pairs_within(group) for group in members if len(group) > 1]
    start = 0
    while start < len(unique):
        rows = max(1, _BLOCK // (len(unique) - start))
        block = unique[start : start + rows]
        first, second = np.nonzero(np.bitwise_count(block[:, None] ^ unique[None, start:]) <= distance)
        first, second = first[first < second] + start, second[first < second] + start
        single = alone[first] & alone[second]
        found.append(np.stack([only[first[single]], only[second[single]]], axis=1))
        for a, b in zip(first[~single].tolist(), second[~single].tolist(), strict=True):
            found.append(np.array([(i, j) for i in members[a][:_CROWD] for j in members[b][:_CROWD]]))
        start += rows
    pairs = np.sort(np.concatenate([np.empty((0, 2), dtype=np.int64), *found]), axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]


def _pairs_within(group: np.ndarray) -> np.ndarray:
    if len(group) > _CROWD:
        return np.stack([group[:-1], group[1:]], axis=1)
    first, second = np.triu_indices(len(group), k=1)
    return np.stack([group[first], group[second]], axis=1)


def structure(image: "Image.Image") -> np.ndarray:
    """What a photo shows without its broad light and shade: float32, shape (32, 32), in grey levels.

    Args:
        image: RGB photo of any size.
    """
    from PIL import Image, ImageFilter

    grey = image.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    shade = grey.filter(ImageFilter.BoxBlur(_SHADE_RADIUS_PX))
    return np.asarray(grey, dtype=np.float32) - np.asarray(shade, dtype=np.float32)


def _structure_of(image: "Image.Image | None") -> np.ndarray | None:
    return None if image is None else structure(image)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised cross-correlation of two structures, the best over shifts of up to 2 px each way, in [-1, 1].

    Photos without structure (a plain wall) are like nothing: 0.

    Args:
        first: As `structure` gives it, shape (32, 32).
        second: Likewise.
    """
    inner = SIDE_PX - 2 * _SHIFT_PX
    window = np.lib.stride_tricks.sliding_window_view(second, (inner, inner)).reshape(-1, inner * inner)
    centre = first[_SHIFT_PX:-_SHIFT_PX, _SHIFT_PX:-_SHIFT_PX].ravel()
    centre = centre - centre.mean()
    window = window - window.mean(axis=1, keepdims=True)
    deviations = np.linalg.norm(window, axis=1)
    least = _LEAST_STRUCTURE * inner
    if np.linalg.norm(centre) < least or deviations.min() < least:
        return 0.0
    return float(np.max(window @ centre / (deviations * np.linalg.norm(centre))))


def _is_hash(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 16:
        return False
    return all(digit in "0123456789abcdef" for digit in value.lower())
