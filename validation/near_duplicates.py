"""Near duplicates: photos that show the same thing in nearly the same way.

First, the 64-bit difference hashes of all pairs are compared: cheap, few misses, but many false positives on plain
backgrounds. Then each candidate is confirmed on small grey thumbnails: after high-pass filtering, which removes
broad light and shade, the two must correlate.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from coachworks.cpu_limit import usable_cores
from coachworks.progress import SILENT, Progress

if TYPE_CHECKING:
    from PIL import Image

SIDE_PX = 32
_SHADE_RADIUS_PX = 4  # structure wider than 9 of 32 pixels is light and shade, not the object
_SHIFT_PX = 2  # a second hand-held photo is shifted by a few per cent of its width
_MIN_STRUCTURE = 1.0  # grey levels; below it there is only noise
_BLOCK = 1 << 22  # pairs of hashes compared at a time: 32 MB
_CROWD = 20  # photos with the same hash; of more, not all pairs are formed


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Pairs of photos that look alike.

    Attributes:
        pairs: Pairs of photo ids, ordered like the photos.
        candidates: Number of pairs with close hashes.
        likenesses: Likeness of each of these whose photos are readable, by photo ids; see `likeness`.
    """

    pairs: tuple[tuple[str, str], ...]
    candidates: int
    likenesses: Mapping[tuple[str, str], float]


def find_near_duplicates(
    photo_ids: Sequence[str],
    hashes: Sequence[str | None],
    read: Callable[[str], "Image.Image | None"],
    *,
    distance: int,
    similarity: float,
    compared: Mapping[tuple[str, str], float] = MappingProxyType({}),
    progress: Progress = SILENT,
) -> NearDuplicates:
    """Find the pairs of photos that look alike.

    Args:
        photo_ids: Ids of the photos.
        hashes: Their 64-bit perceptual hashes, 16 hexadecimal digits; None if a photo has none.
        read: Returns a photo as RGB, 64 px or more on the shorter side, or None if it is unreadable; called in threads.
        distance: Largest number of bits in which the hashes of a pair may differ.
        similarity: Smallest correlation of a pair's structure, in [0, 1].
        compared: Likenesses of pairs that were compared earlier; the others are read and compared.
        progress: Receives progress updates.
    """
    known = [index for index, value in enumerate(hashes) if _is_hash(value)]
    left, right = close_pairs(np.array([int(str(hashes[index]), 16) for index in known], dtype=np.uint64), distance)
    names = [photo_ids[index] for index in known]
    pairs = [(names[a], names[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    new = [place for place, pair in enumerate(pairs) if pair not in compared]
    structures = _structures([names[index] for index in np.union1d(left[new], right[new])], read, progress)
    likenesses = {
        pair: compared[pair] if pair in compared else likeness(*(structures[name] for name in pair))
        for pair in pairs
        if pair in compared or structures.keys() >= set(pair)
    }
    alike = tuple(pair for pair, value in likenesses.items() if value >= similarity)
    return NearDuplicates(pairs=alike, candidates=len(left), likenesses=likenesses)


def _structures(
    photo_ids: Sequence[str], read: "Callable[[str], Image.Image | None]", progress: Progress
) -> dict[str, np.ndarray]:
    """Return the structures of the readable photos."""
    structures: dict[str, np.ndarray] = {}
    with (
        progress.task("compare look-alikes", total=len(photo_ids), unit="photos") as task,
        ThreadPoolExecutor(usable_cores()) as pool,  # decoding releases the GIL
    ):
        drawn = pool.map(lambda photo_id: _structure_of(read(photo_id)), photo_ids)
        for photo_id, drawing in zip(photo_ids, drawn, strict=True):
            if drawing is not None:
                structures[photo_id] = drawing
            task.advance()
    return structures


def close_pairs(hashes: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the index pairs whose hashes differ in at most `distance` bits.

    All pairs are compared, block by block: 10,000 photos take a fraction of a second and 100,000 about twenty seconds,
    in constant memory. If more than `_CROWD` photos share one hash, as plain walls do, only neighbours among them are
    paired, because the number of pairs would grow with the square.

    Args:
        hashes: uint64, shape (N,).
        distance: Largest number of differing bits, in [0, 64].

    Returns:
        Two int64 arrays of equal length, the smaller index first, sorted.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1) if len(hashes) else []
    alone = np.array([len(group) == 1 for group in members], dtype=bool)
    only = np.array([group[0] for group in members], dtype=np.int64)
    blocks = [_pairs_within(group) for group in members if len(group) > 1]
    start = 0
    while start < len(unique):
        rows = max(1, _BLOCK // (len(unique) - start))
        block = unique[start : start + rows]
        first, second = np.nonzero(np.bitwise_count(block[:, None] ^ unique[None, start:]) <= distance)
        first, second = first[first < second] + start, second[first < second] + start
        single = alone[first] & alone[second]
        blocks.append(np.stack([only[first[single]], only[second[single]]], axis=1))
        for a, b in zip(first[~single].tolist(), second[~single].tolist(), strict=True):
            blocks.append(np.array([(i, j) for i in members[a][:_CROWD] for j in members[b][:_CROWD]]))
        start += rows
    pairs = np.sort(np.concatenate([np.empty((0, 2), dtype=np.int64), *blocks]), axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]


def _pairs_within(group: np.ndarray) -> np.ndarray:
    if len(group) > _CROWD:
        return np.stack([group[:-1], group[1:]], axis=1)
    first, second = np.triu_indices(len(group), k=1)
    return np.stack([group[first], group[second]], axis=1)


def structure(image: "Image.Image") -> np.ndarray:
    """Return a photo's fine structure, without broad light and shade: float32, shape (32, 32), in grey levels.

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
    """Return the largest normalised cross-correlation of two structures over shifts of up to 2 px, in [-1, 1].

    The result is 0 if one of the photos has no structure, such as a plain wall.

    Args:
        first: Result of `structure`, shape (32, 32).
        second: Result of `structure`, shape (32, 32).
    """
    inner = SIDE_PX - 2 * _SHIFT_PX
    window = np.lib.stride_tricks.sliding_window_view(second, (inner, inner)).reshape(-1, inner * inner)
    centre = first[_SHIFT_PX:-_SHIFT_PX, _SHIFT_PX:-_SHIFT_PX].ravel()
    centre = centre - centre.mean()
    window = window - window.mean(axis=1, keepdims=True)
    deviations = np.linalg.norm(window, axis=1)
    minimum = _MIN_STRUCTURE * inner
    if np.linalg.norm(centre) < minimum or deviations.min() < minimum:
        return 0.0
    return float(np.max(window @ centre / (deviations * np.linalg.norm(centre))))


def _is_hash(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 16:
        return False
    return all(digit in "0123456789abcdef" for digit in value.lower())
