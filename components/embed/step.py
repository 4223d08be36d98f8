"""The step embed as a library function."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.features import space_of
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor, load, produce
from coachworks.store import Store
from coachworks.tables import read_table
from components.augment.policy import Policy, read_policy
from components.embed.backbones import ensure_backbone, find_backbone
from components.embed.cache_filling import Backbone, Filled, fill_cache, missing_features
from components.embed.config import EmbedConfig
from components.embed.report import EmbedReport
from components.embed.work import Photo

_PHOTOS = "photos.json"  # the photos, their keys and numbers of views: [[photo_id, key, views], …]


def embed(
    fleet: Fleet, augment: str, *, config: EmbedConfig | None = None, context: Context | None = None
) -> Result[EmbedReport]:
    """Compute the features of every photo that a skill may use, and of the training photos' augmented views.

    Each is computed once, for all later skills, labels and photos: features are cached by photo, view, policy and
    backbone. A run that was killed continues, and features that are missing in the cache are computed again.

    Args:
        fleet: The fleet, located; `spec.backbone` names the backbone.
        augment: Key of the result of augment.
        config: Settings; None for the defaults.
        context: The surroundings of the task; None opens the fleet's own store.

    Raises:
        InvalidConfigError: there is no such backbone, or it is not usable.
        DataError: the converted backbone computes other features than the original, or a stored photo is damaged.
        TransientError: a worker process died; computed features are kept.
    """
    config = config or EmbedConfig()
    context = context or open_context(fleet)
    store = context.store
    source = find_backbone(fleet.spec.backbone)

    def build(folder: Path) -> EmbedReport:
        augmented = load(store, "augment", augment)
        photos = _photos_to_embed(store, augmented, fleet, read_policy(augmented.path))
        listed = [[photo.photo_id, photo.key, len(photo.views)] for photo in photos]
        (folder / _PHOTOS).write_text(json.dumps(listed), "utf-8")
        return fill(photos)

    def fill(photos: Sequence[Photo]) -> EmbedReport:
        policy = read_policy(load(store, "augment", augment).path)
        backbone = Backbone(source, ensure_backbone(store, source, progress=context.progress))
        missing = missing_features(store, backbone.spec, policy, photos)
        filled = Filled(0.0, "cpu", 0)
        if missing:
            context.progress.note(f"{_rows(photos) - _rows(missing)} of {_rows(photos)} features are cached already")
            filled = fill_cache(store, backbone, policy, missing, config=config, progress=context.progress)
        return _report(backbone, policy, photos, missing, filled)

    inputs = {"augment": augment, "backbone": source.digest}
    result = produce(EmbedReport, inputs, build, context=context, code=code_digest(__name__))
    if result.reused:  # the result exists, but the feature cache may have been emptied since
        listed = json.loads((result.path / _PHOTOS).read_text("utf-8"))
        fill([Photo(photo_id, key, tuple(range(views))) for photo_id, key, views in listed])
    return result


def _photos_to_embed(store: Store, augmented: Result[Any], fleet: Fleet, policy: Policy) -> list[Photo]:
    """Return the photos with an admitted label for any skill, the training photos among them in all views."""
    from components.validate.admitted import admitted

    labels = admitted(store, ancestor(store, augmented, "validate"), fleet)
    splits = dict(zip(labels["photo_id"], labels["split"], strict=True))
    catalogue = read_table(ancestor(store, augmented, "ingest").path / "catalogue.parquet")
    keys = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))
    every = tuple(range(policy.views + 1))
    return [Photo(str(p), str(keys[p]), every if split == "train" else (0,)) for p, split in sorted(splits.items())]


def _rows(photos: Sequence[Photo]) -> int:
    return sum(len(photo.views) for photo in photos)


def _report(
    backbone: Backbone, policy: Policy, photos: Sequence[Photo], missing: Sequence[Photo], filled: Filled
) -> EmbedReport:
    computed = _rows(missing)
    return EmbedReport(
        backbone=backbone.source.name,
        backbone_digest=backbone.spec.digest,
        space=space_of(backbone.spec.digest),
        view_digest=policy.view_digest,
        policy_digest=policy.digest,
        dimensions=backbone.spec.dimensions,
        views=policy.views,
        photos=len(photos),
        computed=computed,
        reused=_rows(photos) - computed,
        seconds=round(filled.seconds, 3),
        photos_per_second=round(computed / filled.seconds, 2) if computed else 0.0,
        device=filled.device,
        workers=filled.workers,
    )
