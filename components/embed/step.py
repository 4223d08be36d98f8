"""The library face of embed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.context import ALONE, Context
from coachworks.fleet.model import Fleet
from coachworks.results import Result, ancestor, load, produce
from coachworks.steps import code_digest
from coachworks.store import Store, open_store
from coachworks.tables import read_table
from components.augment.policy import Policy, read_policy
from components.embed.backbones import ensure_backbone, find_backbone, onnx_key
from components.embed.config import EmbedConfig
from components.embed.cores import usable_cores
from components.embed.features import known_photos, space_of, view_folder, write_shard
from components.embed.gpu import BATCH, TorchBackbone, accelerator
from components.embed.pool import run_chunks
from components.embed.report import EmbedReport
from components.embed.source import Source
from components.embed.spec import BackboneSpec
from components.embed.work import Job, Photo

_SHARD_ROWS = 1024  # 5 MB of 1,280 features
_SHARD_S = 5.0  # at most this much work is lost when a run is killed
_CHUNK_ROWS = 16  # sent to a worker at once: few enough to show progress, many enough to cost nothing
_ROWS_PER_WORKER = 48  # fewer are done before another process has started


def embed(fleet: Fleet, augment: str, *, config: EmbedConfig | None = None, context: Context = ALONE) -> Result:
    """Compute the features of every photo that a skill may use, and of the training photos' augmented views.

    Each is computed once, whatever skills, labels and photos come later: features are cached by photo, view, policy
    and backbone. A killed run continues where it was.

    Args:
        fleet: The fleet, located; `spec.backbone` names the backbone.
        augment: Key of the result of augment.
        config: Settings; None for the defaults.
        context: Surroundings of the run.

    Raises:
        InvalidConfigError: there is no such backbone, or it is not usable.
        DataError: the converted backbone does not compute what the original does, or a stored photo is damaged.
    """
    config = config or EmbedConfig()
    store = open_store(fleet.spec.store)
    source = find_backbone(fleet.spec.backbone)

    def build(folder: Path) -> EmbedReport:
        augmented = load(store, "augment", augment)
        policy = read_policy(augmented.path)
        spec = ensure_backbone(store, source, progress=context.progress)
        asked = _asked(store, augmented, fleet, policy)
        return _compute(store, source, spec, policy, asked, config, context)

    inputs = {"augment": augment, "backbone": source.digest}
    return produce(store, "embed", inputs, build, context=context, code=code_digest(__file__))


def _asked(store: Store, augmented: Result, fleet: Fleet, policy: Policy) -> list[Photo]:
    """The photos with an admitted label for any skill; the training photos among them in all views."""
    from components.validate.admitted import admitted

    validated = ancestor(store, augmented, "validate")
    labels = admitted(store, validated, fleet)
    splits = dict(zip(labels["photo_id"], labels["split"], strict=True))
    catalogue = read_table(ancestor(store, augmented, "ingest").path / "catalogue.parquet")
    keys = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))
    every = tuple(range(policy.views + 1))
    return [Photo(str(p), str(keys[p]), every if split == "train" else (0,)) for p, split in sorted(splits.items())]


def _compute(
    store: Store,
    source: Source,
    spec: BackboneSpec,
    policy: Policy,
    asked: Sequence[Photo],
    config: EmbedConfig,
    context: Context,
) -> EmbedReport:
    space = space_of(spec.digest)
    folders = {view: view_folder(space, policy.view_digest, view) for view in range(policy.views + 1)}
    todo = _missing(store, folders, asked)
    rows = sum(len(photo.views) for photo in todo)
    total = sum(len(photo.views) for photo in asked)
    context.progress.note(f"{total - rows} of {total} features are cached already; {rows} to compute")
    started = time.monotonic()
    device, workers = "cpu", 0
    if todo:
        gpu = accelerator()
        cores = config.workers or usable_cores()
        workers = max(1, min(cores, rows // _ROWS_PER_WORKER))
        job = Job(
            store=store.uri,
            spec=spec,
            onnx=None if gpu else onnx_key(spec.digest),
            policy=policy if any(photo.views != (0,) for photo in todo) else None,
            batch_size=config.batch_size,
            threads=1 if workers > 1 else cores,
        )
        chunks = list(_chunks(todo, BATCH if gpu else max(_CHUNK_ROWS, config.batch_size)))
        backbone = TorchBackbone(source, spec, gpu[0]) if gpu else None
        device = gpu[1] if gpu else "cpu"
        shards = _Shards(store, folders)
        with context.progress.task("embed", total=len(todo), unit="photos") as task, closing(shards):
            for photos, answer in run_chunks(job, chunks, workers=workers):
                shards.add(photos, answer if backbone is None else backbone.features(answer))
                task.advance(len(photos))
    seconds = time.monotonic() - started if todo else 0.0
    return EmbedReport(
        backbone=source.name,
        backbone_digest=spec.digest,
        space=space,
        view_digest=policy.view_digest,
        policy_digest=policy.digest,
        dimensions=spec.dimensions,
        views=policy.views,
        photos=len(asked),
        computed=rows,
        reused=total - rows,
        seconds=round(seconds, 3),
        photos_per_second=round(rows / seconds, 2) if seconds else 0.0,
        device=device,
        workers=workers,
    )


def _missing(store: Store, folders: Mapping[int, str], asked: Sequence[Photo]) -> list[Photo]:
    known = {view: known_photos(store, folder) for view, folder in folders.items()}
    left = [
        Photo(photo.photo_id, photo.key, tuple(view for view in photo.views if photo.photo_id not in known[view]))
        for photo in asked
    ]
    return [photo for photo in left if photo.views]


def _chunks(photos: Sequence[Photo], rows: int) -> Iterator[list[Photo]]:
    """Photos in groups that make about `rows` rows; a photo's views stay together, so that it is decoded once."""
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


@dataclass
class _Shards:
    """Collects rows by view and publishes them as shards, often enough that little is lost by a kill."""

    store: Store
    folders: Mapping[int, str]
    _rows: dict[int, list[tuple[str, NDArray[Any]]]] = field(default_factory=dict)
    _flushed_at: float = field(default_factory=time.monotonic)

    def add(self, photos: Sequence[Photo], features: NDArray[np.float32]) -> None:
        """Take in the rows of some photos, view after view."""
        row = iter(features)
        for photo in photos:
            for view in photo.views:
                self._rows.setdefault(view, []).append((photo.photo_id, next(row)))
        if time.monotonic() - self._flushed_at > _SHARD_S or any(len(r) >= _SHARD_ROWS for r in self._rows.values()):
            self.close()

    def close(self) -> None:
        """Publish what there is: also when the work was interrupted."""
        for view, rows in self._rows.items():
            write_shard(
                self.store, self.folders[view], [photo_id for photo_id, _ in rows], np.stack([r for _, r in rows])
            )
        self._rows.clear()
        self._flushed_at = time.monotonic()
