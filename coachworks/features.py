"""The feature cache: the backbone's output for each view of a photo, in shards that are written once.

A shard is a safetensors file under `features/<backbone>/clean/` or `features/<backbone>/<policy>-<view>/`, named by
its own digest, with `photo_ids` (uint8, N × 32: SHA-256) and `features` (N × D). These hold the feature group `last`,
as float32; every other group has folders of its own, `clean.<group>` and so on, as float16, so that a reader reads no
bytes of groups that it does not want. The name of the folder covers everything that a feature depends on, except the
photo. Shards are published whole; the ids are read without the features. Two concurrent writers may write some rows
twice, which does no harm.

A shard whose features are read is compared with its name. A damaged one is removed, as if its photos had never been
embedded: `components.embed.stored_features` embeds them again.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import digest_bytes, digest_json
from coachworks.errors import DamagedError, DataError, NotFoundError
from coachworks.feature_groups import LAST, total
from coachworks.feature_table import FeatureFile
from coachworks.store import Store, prefetched

_IDS, _FEATURES = "photo_ids", "features"
_LONGEST_HEADER = 1 << 20

logger = logging.getLogger(__name__)
Ids = NDArray[np.uint8]


class FeaturesMissingError(NotFoundError):
    """Photos have no features in the cache."""


class FeatureSource(Protocol):
    """The part of embed's report that says where features are."""

    @property
    def space(self) -> str:
        """Folder of the backbone in the feature cache."""

    @property
    def view_digest(self) -> str:
        """Digest of the settings that decide the pixels of augmented views."""

    @property
    def group_sizes(self) -> Mapping[str, int]:
        """Numbers per photo of each feature group."""


def space_of(backbone_digest: str, onnx_sha256: str = "") -> str:
    """Return the folder of a backbone in the cache.

    Args:
        backbone_digest: Digest of the backbone.
        onnx_sha256: SHA-256 of the ONNX file that computes the features; empty: a conversion by an earlier version of
            coachworks, whose folders are named by the backbone alone.
    """
    return f"features/{(digest_json([backbone_digest, onnx_sha256]) if onnx_sha256 else backbone_digest)[:32]}"


def view_folder(space: str, view_digest: str, view: int, group: str = LAST) -> str:
    """Return the folder of one view of all photos and one group; view 0 is the clean one, for every policy."""
    folder = f"{space}/clean" if view == 0 else f"{space}/{view_digest[:32]}-{view}"
    return folder if group == LAST else f"{folder}.{group}"


def load_features(
    store: Store, source: FeatureSource, photo_ids: Sequence[str], view: int, groups: Sequence[str] = (LAST,)
) -> NDArray[np.float32]:
    """Read the features of photos, in the order of `photo_ids`.

    Args:
        store: The store with the feature cache.
        source: The report of embed.
        photo_ids: The photos; may repeat.
        view: 0 for the clean photos, 1 and up for the augmented views (training photos only).
        groups: The feature groups to read.

    Returns:
        float32 of shape (N, D): the groups side by side, in the order of `groups`.

    Raises:
        FeaturesMissingError: a photo has no features in that view, or its shard was damaged and has been removed.
        DataError: the backbone's pass did not give one of the groups.
    """
    sizes = source.group_sizes
    features = np.empty((len(photo_ids), total(sizes, groups)), np.float32)
    start = 0
    for group in groups:
        load_group(store, source, photo_ids, view, group, features[:, start : start + sizes[group]])
        start += sizes[group]
    return features


def load_group(
    store: Store,
    source: FeatureSource,
    photo_ids: Sequence[str],
    view: int,
    group: str,
    features: NDArray[np.float32] | FeatureFile,
) -> None:
    """Read one group of features into a table of shape (N, D), shard after shard.

    Raises:
        FeaturesMissingError: a photo has no features in that view, or its shard was damaged and has been removed.
    """
    folder = view_folder(source.space, source.view_digest, view, group)
    ids_bytes = [bytes.fromhex(photo_id) for photo_id in photo_ids]
    places: dict[bytes, list[int]] = {}
    for place, photo_id in enumerate(ids_bytes):
        places.setdefault(photo_id, []).append(place)
    shards: list[tuple[str, list[tuple[int, list[int]]]]] = []
    for key, ids in _read_ids(store, folder):
        rows = [(row, places.pop(photo_id)) for row, photo_id in enumerate(ids) if photo_id in places]
        if rows:
            shards.append((key, rows))
        if not places:
            break
    loaded = prefetched(store, lambda key: _read_features(store, key), [key for key, _ in shards])
    for (_, rows), rows_of_shard in zip(shards, loaded, strict=True):
        if rows_of_shard is None:
            places |= {bytes.fromhex(photo_ids[targets[0]]): targets for _, targets in rows}
            continue
        sources = np.repeat([row for row, _ in rows], [len(targets) for _, targets in rows])
        features[[place for _, targets in rows for place in targets]] = rows_of_shard[sources]
    if places:
        raise FeaturesMissingError(
            f"{len(places)} of {len(set(ids_bytes))} photos have no features in view {view}; the first is "
            f"{next(iter(places)).hex()}. Run `coachworks embed` first."
        )


def known_photos(store: Store, folder: str) -> set[str]:
    """Return the ids of the photos that have features in `folder`."""
    return {photo_id.hex() for _, ids in _read_ids(store, folder) for photo_id in ids}


def write_shard(store: Store, folder: str, photo_ids: Iterable[str], features: NDArray[Any]) -> str:
    """Publish the features of some photos, in the precision that they have.

    Args:
        store: The store to write to.
        folder: A folder from `view_folder`.
        photo_ids: The photos, N of them.
        features: float32 or float16 of shape (N, D).

    Returns:
        The shard's key.
    """
    from safetensors.numpy import save

    ids = np.frombuffer(b"".join(bytes.fromhex(photo_id) for photo_id in photo_ids), np.uint8).reshape(-1, 32)
    if ids.shape[0] != features.shape[0]:
        raise DataError(f"features must have one row per photo; got {features.shape[0]} rows for {ids.shape[0]} photos")
    finite = np.isfinite(features).all(1)
    if not finite.all():
        raise DataError(
            f"features must be finite; those of the photo {ids[finite.argmin()].tobytes().hex()} are not. Take the "
            "photo out of its source, or name another backbone."
        )
    data = save({_IDS: ids, _FEATURES: np.ascontiguousarray(features)})
    key = f"{folder}/{digest_bytes(data)[:32]}.safetensors"
    store.write(key, data)
    return key


def _read_ids(store: Store, folder: str) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each shard's key and ids, without its features, which are most of the bytes."""
    keys = list(store.list(folder))
    yield from zip(keys, prefetched(store, lambda key: _ids(store, key), keys), strict=True)


def _ids(store: Store, key: str) -> list[bytes]:
    """Read the ids of a shard; none, if they cannot be read and the shard has been removed."""
    try:
        length = int.from_bytes(store.read(key, 0, 8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"its header must have at most {_LONGEST_HEADER} bytes; got {length}")
        start, end = json.loads(store.read(key, 8, length))[_IDS]["data_offsets"]
        joined = store.read(key, 8 + length + start, end - start)
        if len(joined) != end - start or len(joined) % 32:
            raise ValueError("it is cut off")
    except NotFoundError:  # another process has removed it since the listing
        return []
    except (ValueError, KeyError, TypeError, OverflowError) as err:
        _remove(store, key, str(err))
        return []
    return [joined[place : place + 32] for place in range(0, len(joined), 32)]


def _read_features(store: Store, key: str) -> NDArray[Any] | None:
    """Read the features of a shard; None, if it differs from its name and has been removed."""
    from safetensors.numpy import load

    try:
        features: NDArray[Any] = load(store.fetch(key).read_bytes())[_FEATURES]
    except NotFoundError:  # another process has removed it since the listing
        return None
    except DamagedError as err:
        _remove(store, key, err.problem)
        return None
    return features


def _remove(store: Store, key: str, problem: str) -> None:
    logger.warning("the feature shard %s of %s is damaged and is made again: %s", key, store.uri, problem)
    store.remove(key)
