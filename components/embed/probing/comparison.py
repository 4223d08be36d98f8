"""Comparison of backbones: accuracy per skill against multiply-adds, time, memory and size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.context import Context
from coachworks.errors import InvalidConfigError
from coachworks.features import load_features
from coachworks.fleet.model import Augment, Fleet
from coachworks.models.backbone import BackboneSpec, fetch_onnx
from coachworks.photos import WHOLE
from coachworks.result import Result
from components.augment.policy import policy_of
from components.embed.backbones import ensure_backbone
from components.embed.cache_filling import Backbone, fill_cache, missing_features
from components.embed.config import EmbedConfig
from components.embed.framing import framed_backbone
from components.embed.probing.accuracy import balanced_accuracies
from components.embed.probing.network_cost import multiply_adds
from components.embed.probing.report import Interval, Probed, ProbeReport, recommend
from components.embed.probing.sample import Sample, draw_sample
from components.embed.probing.timing import Cost, cost
from components.embed.work import Photo

Array = NDArray[Any]
Scores = Mapping[str, tuple[float, Array]]

REPLICATES = 1000
_TIMED_PHOTOS = 40


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """Settings of a comparison.

    Attributes:
        photos: Photos in the sample; whole sets are drawn.
        folds: Folds of the sample, at least 2.
        seed: Seed of the sample, the folds and the bootstrap.
    """

    photos: int = 1000
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("photos", 20), ("folds", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise InvalidConfigError(f"{name} must be at least {least}; got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class _Measured:
    name: str
    spec: BackboneSpec
    multiply_adds: int
    scores: Scores
    cost: Cost
    mean: tuple[float, Array]


def compare(
    fleet: Fleet,
    validated: Result[Any],
    backbones: Sequence[str],
    *,
    config: ProbeConfig | None = None,
    embedding: EmbedConfig | None = None,
    context: Context,
) -> ProbeReport:
    """Compare backbones on a sample of the fleet's training and validation photos.

    Args:
        fleet: The fleet, located.
        validated: The result of validate, or of a later step.
        backbones: As in the fleet file; one that stands there twice is compared once.
        config: Settings of the comparison; None for the defaults.
        embedding: Settings of the passes; None for the defaults.
        context: The surroundings.

    Raises:
        InvalidConfigError: there is no such backbone, or it is not usable.
        DataError: the photos bear no comparison.
    """
    config, store = config or ProbeConfig(), context.store
    sources = {name: framed_backbone(name, fleet) for name in dict.fromkeys(backbones)}
    sample = draw_sample(store, validated, fleet, photos=config.photos, folds=config.folds, seed=config.seed)
    measured = []
    for name, source in sources.items():
        spec = ensure_backbone(store, source, progress=context.progress)
        features = _features(context, Backbone(source, spec), sample, embedding or EmbedConfig())
        scores = balanced_accuracies(sample, features, spec.group_sizes, replicates=REPLICATES, seed=config.seed)
        keys = [sample.keys[photo_id] for photo_id in sample.photo_ids[:_TIMED_PHOTOS]]
        timed = cost(store, spec.digest, keys)
        measured.append(_Measured(name, spec, multiply_adds(source), scores, timed, _mean(scores)))
    probed = _probed(context, sorted(measured, key=lambda each: each.multiply_adds))
    recommended, why = recommend(probed)
    return ProbeReport(
        photos=len(sample.photo_ids),
        sets=sample.sets,
        folds=config.folds,
        backbones=probed,
        recommended=recommended,
        why=why,
        left_out=sample.left_out,
    )


def _features(context: Context, backbone: Backbone, sample: Sample, config: EmbedConfig) -> Array:
    """Return the clean features of the sample; those that are not in the cache are computed and stay there."""
    store, spec = context.store, backbone.spec
    clean = policy_of(Augment(views=0, transforms=[]))
    photos = [Photo(each, sample.keys[each], (0,), sample.frames.get(each, WHOLE)) for each in sample.photo_ids]
    missing = missing_features(store, spec, clean, photos)
    if missing:
        context.progress.note(f"{backbone.source.name}: embedding {len(missing)} of {len(photos)} photos")
        fill_cache(store, backbone, clean, missing, config=config, progress=context.progress)
    place = _Place(spec.feature_space, clean.view_digest, spec.group_sizes)
    return load_features(store, place, [photo.row_id for photo in photos], 0, tuple(spec.group_sizes))


@dataclass(frozen=True)
class _Place:
    space: str
    view_digest: str
    group_sizes: Mapping[str, int]


def _probed(context: Context, measured: Sequence[_Measured]) -> list[Probed]:
    best, drawn = max((each.mean for each in measured), key=lambda mean: mean[0])
    return [
        Probed(
            backbone=each.name,
            input_px=each.spec.input_px,
            dimensions=each.spec.dimensions,
            multiply_adds=each.multiply_adds,
            megabytes=fetch_onnx(context.store, each.spec).stat().st_size / 1e6,
            cost=each.cost,
            skills={skill: _interval(*score) for skill, score in each.scores.items()},
            mean=_interval(*each.mean),
            behind_best=_interval(best - each.mean[0], drawn - each.mean[1]),
            standard_error=float(np.std(drawn - each.mean[1], ddof=1)),
        )
        for each in measured
    ]


def _mean(scores: Scores) -> tuple[float, Array]:
    return float(np.mean([value for value, _ in scores.values()])), np.mean([drawn for _, drawn in scores.values()], 0)


def _interval(value: float, drawn: Array) -> Interval:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))
