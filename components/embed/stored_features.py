"""Features of a result of embed: read from the cache, and computed again where they are missing or were damaged."""

import json
from collections.abc import Sequence
from typing import Any

from coachworks.errors import DataError
from coachworks.feature_groups import LAST, total
from coachworks.feature_table import FeatureTable, new_table, side_by_side
from coachworks.features import FeaturesMissingError, load_group
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec
from coachworks.photos import Box, Frame
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import load
from coachworks.store import Store
from coachworks.wording import pipeline_command
from components.augment.policy import read_policy
from components.embed.backbones import ensure_backbone
from components.embed.cache_filling import Backbone, Filled, fill_cache, missing_features
from components.embed.choice import named_backbone
from components.embed.config import EmbedConfig
from components.embed.framing import framed_backbone, is_plain
from components.embed.grouped import stored_bytes
from components.embed.report import EmbedReport
from components.embed.source import Source
from components.embed.work import Photo, frame_values

PHOTOS = (
    "photos.json"  # the photos, keys, numbers of views and, of those that are cropped or turned, frames: see `listing`
)
_ATTEMPTS = 3  # a photo may be in several damaged shards


def read_features(
    fleet: Fleet,
    embedded: Result[EmbedReport],
    photo_ids: Sequence[str],
    view: int,
    *,
    groups: Sequence[str] = (LAST,),
    progress: Progress,
) -> FeatureTable:
    """Read the features of photos, in the order of `photo_ids`; those that are missing or damaged are computed again.

    Args:
        fleet: The fleet, whose backbone computes missing features.
        embedded: The result of embed.
        photo_ids: The photos; may repeat.
        view: 0 for the clean photos, 1 and up for the augmented views (training photos only).
        groups: The feature groups to read.
        progress: Receives a note if features are computed again.

    Returns:
        float32 of shape (N, D): the groups side by side. Large ones lie in a temporary file.

    Raises:
        NotFoundError: a photo has no features in that view, and is none of those that embed embedded.
        DataError: a photo is damaged, or the features were computed by another conversion of the backbone.
        StorageError: the disk of temporary files is full.
    """
    store, sizes = embedded.store, embedded.report.group_sizes
    total(sizes, groups)
    rows = _row_ids(fleet, embedded, photo_ids)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return side_by_side([_read_group(embedded, rows, view, group) for group in groups])
        except FeaturesMissingError as err:
            source = framed_backbone(named_backbone(store, fleet), fleet)
            if attempt == _ATTEMPTS or source.digest != embedded.report.backbone_digest:
                raise
            progress.note(f"embedding again: {err}")
            _refill(store, source, embedded, progress)
    raise AssertionError  # the last attempt returned or raised


def _row_ids(fleet: Fleet, embedded: Result[EmbedReport], photo_ids: Sequence[str]) -> Sequence[str]:
    """Return the names in the cache of photos' features; of plain photos, those of the photos."""
    if is_plain(fleet):
        return photo_ids
    names = {photo.photo_id: photo.row_id for photo in listed_photos(embedded)}
    return [names.get(photo_id, photo_id) for photo_id in photo_ids]


def _read_group(embedded: Result[EmbedReport], row_ids: Sequence[str], view: int, group: str) -> FeatureTable:
    with embedded.store.scratch() as folder:  # a table in a file has no name there, and outlives the folder
        table = new_table(folder, len(row_ids), embedded.report.group_sizes[group])
        load_group(embedded.store, embedded.report, row_ids, view, group, table)
    return table


def _refill(store: Store, source: Source, embedded: Result[EmbedReport], progress: Progress) -> None:
    spec = ensure_backbone(store, source, ",".join(embedded.report.group_sizes), progress=progress)
    if spec.feature_space != embedded.report.space:
        raise DataError(
            f"features of {embedded.step}/{embedded.key} are missing, and the backbone {source.name} has been "
            f"converted again since. {pipeline_command(store.uri, '--from embed')} computes all of them."
        )
    fill_features(store, source, spec, str(embedded.inputs["augment"]), listed_photos(embedded), progress=progress)


def listed_photos(embedded: Result[EmbedReport]) -> list[Photo]:
    """Return the photos of a result of embed, with their views."""
    listed = json.loads(embedded.file(PHOTOS).read_text("utf-8"))
    return [Photo(photo_id, key, tuple(range(views)), _frame(*frame)) for photo_id, key, views, *frame in listed]


def listing(photo: Photo) -> list[Any]:
    """Return a photo as JSON values: id, key, number of views and, if it is cropped or turned, its frame."""
    return [photo.photo_id, photo.key, len(photo.views), *frame_values(photo.frame)]


def _frame(box: Sequence[float] | None = None, turn: int = 0) -> Frame:
    """Return the frame that `frame_values` wrote."""
    return Frame(None if box is None else Box(*box), turn)


def fill_features(
    store: Store,
    source: Source,
    spec: BackboneSpec,
    augment: str,
    photos: Sequence[Photo],
    *,
    config: EmbedConfig | None = None,
    progress: Progress,
) -> EmbedReport:
    """Compute the features of photos that the cache lacks.

    Args:
        store: The store.
        source: The backbone.
        spec: Its conversion, which is intact.
        augment: Key of the result of augment.
        photos: The photos with their views.
        config: Settings; None for the defaults.
        progress: Receives progress updates.
    """
    policy = read_policy(load(store, "augment", augment).path)
    backbone = Backbone(source, spec)
    missing = missing_features(store, spec, policy, photos)
    filled = Filled(0.0, "cpu", 0)
    requested, computed = _rows(photos), _rows(missing)
    if missing:
        progress.note(f"{requested - computed} of {requested} features are cached already")
        filled = fill_cache(store, backbone, policy, missing, config=config or EmbedConfig(), progress=progress)
    return EmbedReport(
        backbone=source.name,
        backbone_digest=spec.digest,
        space=spec.feature_space,
        view_digest=policy.view_digest,
        policy_digest=policy.digest,
        dimensions=spec.dimensions,
        views=policy.views,
        photos=len(photos),
        computed=computed,
        reused=requested - computed,
        seconds=round(filled.seconds, 3),
        photos_per_second=round(computed / filled.seconds, 2) if computed else 0.0,
        device=filled.device,
        workers=filled.workers,
        groups=tuple(spec.group_sizes.items()),
        bytes_per_view=stored_bytes(spec.group_sizes),
    )


def _rows(photos: Sequence[Photo]) -> int:
    return sum(len(photo.views) for photo in photos)
