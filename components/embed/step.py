"""The step embed as a library function."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.errors import DamagedError, NotFoundError
from coachworks.feature_groups import ACTIVATION
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec
from coachworks.photos import WHOLE
from coachworks.result import Result
from coachworks.results import NotDoneError, ancestor, load, produce
from coachworks.store import Store
from coachworks.tables import read_table
from components.augment.policy import Policy, read_policy
from components.embed.backbones import ensure_backbone, stored_backbone
from components.embed.config import EmbedConfig
from components.embed.framing import framed_backbone, frames_of
from components.embed.probing.choosing import ensure_choice
from components.embed.report import EmbedReport
from components.embed.source import Source
from components.embed.stored_features import PHOTOS, fill_features, listed_photos, listing
from components.embed.transform_study import Embedder, study_policy
from components.embed.work import Photo


def embed(
    fleet: Fleet, augment: str, *, config: EmbedConfig | None = None, context: Context | None = None
) -> Result[EmbedReport]:
    """Compute the features of every photo that a skill may use, and of the training photos' augmented views.

    Each is computed once, for all later skills, labels and photos: features are cached by photo, view, policy and
    backbone. A run that was killed continues, and features that are missing in the cache are computed again.

    Args:
        fleet: The fleet, located; `spec.backbone` names the backbone, or is `auto`.
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
    choice = ensure_choice(fleet, lambda: load(store, "augment", augment), embedding=config, context=context)
    source = framed_backbone(choice.backbone, fleet)
    fine_tunes = any("fine-tune" in fleet.candidates(skill) for skill in fleet.spec.skills)
    groups = f"{config.feature_groups},{ACTIVATION}" if fine_tunes else config.feature_groups
    spec = _spec(store, source, groups, context)

    def fill(photos: Sequence[Photo]) -> EmbedReport:
        return fill_features(store, source, spec, augment, photos, config=config, progress=context.progress)

    def build(folder: Path) -> EmbedReport:
        augmented = load(store, "augment", augment)
        photos = _photos_to_embed(store, augmented, fleet, read_policy(augmented.path))
        (folder / PHOTOS).write_text(json.dumps([listing(photo) for photo in photos]), "utf-8")
        report = dataclasses.replace(fill(photos), choice=choice.why)
        if not config.study_photos or not report.views:
            return report
        # its sample needs no activations
        described = dataclasses.replace(spec, groups=tuple(group for group in spec.groups if group[0] != ACTIVATION))
        embedder = Embedder(store, source, described, config, context.progress)
        return dataclasses.replace(report, study=study_policy(fleet, augmented, embedder, photos=config.study_photos))

    inputs: dict[str, str | int | list[str]] = {
        "augment": augment,
        "backbone": source.digest,
        "study": config.study_photos,
    }
    if spec.space:  # features of another conversion are others
        inputs["space"] = spec.space
    if spec.groups:
        inputs["groups"] = list(spec.group_sizes)
    result = produce(EmbedReport, inputs, build, context=context, code=code_digest(__name__))
    if result.reused and not context.dry:  # the result exists, but the feature cache may have been emptied since
        fill(listed_photos(result))
    return result


def _spec(store: Store, source: Source, groups: str, context: Context) -> BackboneSpec:
    if not context.dry:
        return ensure_backbone(store, source, groups, progress=context.progress)
    try:
        return stored_backbone(store, source, groups)
    except (NotFoundError, DamagedError) as err:
        raise NotDoneError("embed", "the backbone must be converted") from err


def _photos_to_embed(store: Store, augmented: Result[Any], fleet: Fleet, policy: Policy) -> list[Photo]:
    """Return the photos with an admitted label for any skill, the training photos among them in all views."""
    from components.validate.admitted import admitted

    labels = admitted(store, ancestor(store, augmented, "validate"), fleet)
    splits = dict(zip(labels["photo_id"], labels["split"], strict=True))
    catalogue = read_table(ancestor(store, augmented, "ingest").path / "catalogue.parquet")
    keys = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))
    frames = frames_of(catalogue, fleet)
    every = tuple(range(policy.views + 1))
    return [
        Photo(str(p), str(keys[p]), every if split == "train" else (0,), frames.get(str(p), WHOLE))
        for p, split in sorted(splits.items())
    ]
