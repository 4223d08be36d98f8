"""The feature cache: what the backbone said about a photo's view, in shards that are written once and never changed.

A shard is a safetensors file under `features/<backbone>/clean/` or `features/<backbone>/<policy>-<view>/`, named by
its own digest, with `photo_ids` (uint8, N × 32: SHA-256) and `features` (float32, N × D). The folder says everything
that a feature depends on but the photo. Shards are published whole; the ids are read without the features. Two
writers at once write some rows twice, and nothing else happens.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import digest_bytes
from coachworks.errors import DataError, NotFoundError
from coachworks.store import Store, prefetched

_IDS, _FEATURES = "photo_ids", "features"
_LONGEST_HEADER = 1 << 20
Ids = NDArray[np.uint8]


def space_of(backbone_digest: str) -> str:
    """Folder of the cache for a backbone."""
    return f"features/{backbone_digest[:32]}"


def view_folder(space: str, view_digest: str, view: int) -> str:
    """Folder of one view of all photos; view 0 is the clean one, whatever the policy."""
    return f"{space}/clean" if view == 0 else f"{space}/{view_digest[:32]}-{view}"


def load_features(
    store: Store, embed_report: Mapping[str, Any], photo_ids: Sequence[str], view: int
) -> NDArray[np.float32]:
    """The features of photos, in the order asked.

    Args:
        store: Where they are.
        embed_report: What embed reported: `result.report`.
        photo_ids: The photos; may repeat.
        view: 0 for the clean photos, 1 and up for the augmented views (training photos only).

    Returns:
        float32 of shape (N, D).

    Raises:
        NotFoundError: a photo has no features in that view.
    """
    folder = view_folder(embed_report["space"], embed_report["view_digest"], view)
    wanted = [bytes.fromhex(photo_id) for photo_id in photo_ids]
    result = np.empty((len(wanted), int(embed_report["dimensions"])), np.float32)
    places: dict[bytes, list[int]] = {}
    for place, photo_id in enumerate(wanted):
        places.setdefault(photo_id, []).append(place)
    shards: list[tuple[str, list[tuple[int, list[int]]]]] = []
    for key, ids in _read_ids(store, folder):
        rows = [(row, places.pop(photo_id)) for row, photo_id in enumerate(ids) if photo_id in places]
        if rows:
            shards.append((key, rows))
        if not places:
            break
    features = prefetched(store, lambda key: _read_features(store, key), [key for key, _ in shards])
    for (_, rows), rows_of_shard in zip(shards, features, strict=True):
        source = np.repeat([row for row, _ in rows], [len(targets) for _, targets in rows])
        result[[place for _, targets in rows for place in targets]] = rows_of_shard[source]
    if places:
        raise NotFoundError(
            f"{len(places)} of {len(set(wanted))} photos have no features in view {view}; the first is "
            f"{next(iter(places)).hex()}. Run `coachworks embed` first."
        )
    return result


def known_photos(store: Store, folder: str) -> set[str]:
    """Ids of the photos that have features in `folder`."""
    return {photo_id.hex() for _, ids in _read_ids(store, folder) for photo_id in ids}


def write_shard(store: Store, folder: str, photo_ids: Iterable[str], features: NDArray[np.float32]) -> str:
    """Publish the features of some photos.

    Args:
        store: Where to.
        folder: As `view_folder` gives it.
        photo_ids: The photos, N of them.
        features: float32 of shape (N, D).

    Returns:
        The shard's key.
    """
    from safetensors.numpy import save

    ids = np.frombuffer(b"".join(bytes.fromhex(photo_id) for photo_id in photo_ids), np.uint8).reshape(-1, 32)
    if ids.shape[0] != features.shape[0] or not np.isfinite(features).all():
        raise DataError(
            f"features must be finite, one row per photo; got {features.shape[0]} rows for {ids.shape[0]} photos"
        )
    data = save({_IDS: ids, _FEATURES: np.ascontiguousarray(features, np.float32)})
    key = f"{folder}/{digest_bytes(data)[:32]}.safetensors"
    store.write(key, data)
    return key


def _read_ids(store: Store, folder: str) -> Iterator[tuple[str, list[bytes]]]:
    """Each shard's key and the ids in it, without its features: in a bucket they are most of the bytes."""
    keys = list(store.list(folder))
    yield from zip(keys, prefetched(store, lambda key: _ids(store, key), keys), strict=True)


def _ids(store: Store, key: str) -> list[bytes]:
    with _damage_named(store, key):
        length = int.from_bytes(store.read(key, 0, 8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"its header must have at most {_LONGEST_HEADER} bytes; got {length}")
        start, end = json.loads(store.read(key, 8, length))[_IDS]["data_offsets"]
        joined = store.read(key, 8 + length + start, end - start)
        if len(joined) != end - start:
            raise ValueError("it is cut off")
    return [joined[place : place + 32] for place in range(0, len(joined), 32)]


def _read_features(store: Store, key: str) -> NDArray[Any]:
    from safetensors import safe_open

    with _damage_named(store, key), safe_open(store.fetch(key), framework="numpy") as shard:
        array: NDArray[Any] = shard.get_tensor(_FEATURES)
    return array


@contextmanager
def _damage_named(store: Store, key: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, ValueError, KeyError, TypeError) as err:
        raise DataError(
            f"the feature shard {key!r} of {store.uri} is damaged: {err}. Delete it; its photos are embedded again."
        ) from err
