"""Filling of the feature cache: compute what is missing on all cores or on the GPU, and publish it in shards."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.cpu_limit import usable_cores
from coachworks.feature_groups import LAST, select
from coachworks.features import known_photos, view_folder, write_shard
from coachworks.models.backbone import BackboneSpec
from coachworks.progress import Progress
from coachworks.store import Store
from components.augment.policy import Policy
from components.embed.config import EmbedConfig
from components.embed.gpu import BATCH, TorchBackbone, accelerator
from components.embed.pool import run_chunks
from components.embed.source import Source
from components.embed.work import Job, Photo

_SHARD_ROWS = 1024  # 5 MB of 1,280 features
_SHARD_S = 5.0  # maximum time whose work a killed run loses
_CHUNK_ROWS = 16  # rows per message to a worker: few enough to show progress, many enough to hide the overhead
_ROWS_PER_WORKER = 48  # fewer are computed before another process has started


@dataclass(frozen=True)
class Backbone:
    """A backbone before and after its conversion.

    Attributes:
        source: The original, for torch.
        spec: The converted network: its preprocessing and its ONNX file.
    """

    source: Source
    spec: BackboneSpec


@dataclass(frozen=True)
class Filled:
    """Report of filling the cache.

    Attributes:
        seconds: Time taken, s.
        device: `cpu`, or the name of the GPU.
        workers: Number of processes.
    """

    seconds: float
    device: str
    workers: int


def missing_features(store: Store, spec: BackboneSpec, policy: Policy, requested: Sequence[Photo]) -> list[Photo]:
    """Return the photos of `requested` that lack features, each with its missing views."""
    known = {
        view: set.intersection(*(known_photos(store, folder) for folder in folders.values()))
        for view, folders in _folders(spec, policy).items()
    }
    remaining = [
        replace(photo, views=tuple(view for view in photo.views if photo.row_id not in known[view]))
        for photo in requested
    ]
    return [photo for photo in remaining if photo.views]


def fill_cache(
    store: Store,
    backbone: Backbone,
    policy: Policy,
    missing: Sequence[Photo],
    *,
    config: EmbedConfig,
    progress: Progress,
) -> Filled:
    """Compute and publish the features of all views in `missing`.

    Raises:
        DataError: a stored photo or the converted backbone is damaged.
        TransientError: a worker process died; the features computed so far are kept.
    """
    started = time.monotonic()
    rows = sum(len(photo.views) for photo in missing)
    cores = config.workers or usable_cores()
    workers = max(1, min(cores, rows // _ROWS_PER_WORKER))
    gpu = accelerator()
    job = Job(
        store=store.uri,
        spec=backbone.spec,
        computes=not gpu,
        policy=policy if any(photo.views != (0,) for photo in missing) else None,
        batch_size=config.batch_size,
        threads=1 if workers > 1 else cores,
    )
    chunks = list(_chunks(missing, BATCH if gpu else max(_CHUNK_ROWS, config.batch_size)))
    on_gpu = TorchBackbone(backbone.source, backbone.spec, gpu[0]) if gpu else None
    shards = _Shards(store, _folders(backbone.spec, policy), backbone.spec.group_sizes)
    with progress.task("embed", total=len(missing), unit="photos") as task, closing(shards):
        for photos, answer in run_chunks(job, chunks, workers=workers):
            shards.add(photos, answer if on_gpu is None else on_gpu.features(answer))
            task.advance(len(photos))
    return Filled(time.monotonic() - started, gpu[1] if gpu else "cpu", workers)


def _folders(spec: BackboneSpec, policy: Policy) -> dict[int, dict[str, str]]:
    """Return the folder of each view and feature group."""
    return {
        view: {group: view_folder(spec.feature_space, policy.view_digest, view, group) for group in spec.group_sizes}
        for view in range(policy.views + 1)
    }


def _chunks(photos: Sequence[Photo], rows: int) -> Iterator[list[Photo]]:
    """Group photos into chunks of about `rows` rows; all views of a photo are in one chunk, so it is decoded once."""
    chunk: list[Photo] = []
    count = 0
    for photo in photos:
        if chunk and count + len(photo.views) > rows:
            yield chunk
            chunk, count = [], 0
        chunk.append(photo)
        count += len(photo.views)
    if chunk:
        yield chunk


def _stored(features: NDArray[np.float32], group: str) -> NDArray[Any]:
    """Return features in the precision of the cache: float16, but for `last` and for what is too large for it."""
    if group == LAST or np.abs(features).max(initial=0) > np.finfo(np.float16).max:
        return features
    return features.astype(np.float16)


@dataclass
class _Shards:
    """Collects rows by view and publishes them as shards, often enough that a killed run loses little."""

    store: Store
    folders: Mapping[int, Mapping[str, str]]
    sizes: Mapping[str, int]
    _rows: dict[int, list[tuple[str, NDArray[Any]]]] = field(default_factory=dict)
    _flushed_at: float = field(default_factory=time.monotonic)

    def add(self, photos: Sequence[Photo], features: NDArray[np.float32]) -> None:
        """Add the rows of some photos, view after view."""
        row = iter(features)
        for photo in photos:
            for view in photo.views:
                self._rows.setdefault(view, []).append((photo.row_id, next(row)))
        if time.monotonic() - self._flushed_at > _SHARD_S or any(len(r) >= _SHARD_ROWS for r in self._rows.values()):
            self.close()

    def close(self) -> None:
        """Publish all collected rows, also after an interruption."""
        for view, rows in self._rows.items():
            row_ids, features = [row_id for row_id, _ in rows], np.stack([r for _, r in rows])
            for group, folder in self.folders[view].items():
                write_shard(self.store, folder, row_ids, _stored(select(features, self.sizes, (group,)), group))
        self._rows.clear()
        self._flushed_at = time.monotonic()
