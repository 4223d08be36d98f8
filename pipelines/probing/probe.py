"""`coachworks probe` as a library function: backbones compared on a sample of the fleet's own photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.context import Context, open_context
from coachworks.errors import InvalidConfigError
from coachworks.features import load_features
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec, fetch_onnx
from components.augment.policy import read_policy
from components.embed.backbones import ensure_backbone, find_backbone
from components.embed.cache_filling import Backbone, fill_cache, missing_features
from components.embed.config import EmbedConfig
from components.embed.source import Source
from components.embed.work import Photo
from pipelines.probing.accuracy import balanced_accuracies, predict_out_of_fold
from pipelines.probing.sample import Sample, draw_sample
from pipelines.probing.timing import Cost, cost

Array = NDArray[Any]

REPLICATES = 1000
_TIMED_PHOTOS = 40
_COMPONENTS = 512


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


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval, of a bootstrap over sets."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A backbone's figures.

    Attributes:
        backbone: As the fleet file names it.
        input_px: Height and width of its input.
        dimensions: Features per photo.
        megabytes: Size of its ONNX file.
        cost: Its time and memory on this machine.
        skills: Balanced accuracy of each skill, out of fold.
        mean: Mean of the skills' balanced accuracies.
        behind_best: Mean by which the best backbone is ahead, with the interval of the paired differences.
    """

    backbone: str
    input_px: int
    dimensions: int
    megabytes: float
    cost: Cost
    skills: Mapping[str, Interval]
    mean: Interval
    behind_best: Interval


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """Comparison of backbones.

    Attributes:
        photos: Photos in the sample.
        sets: Sets in the sample.
        folds: Folds.
        backbones: Figures of each backbone, the fastest first.
        recommended: The backbone to choose.
        why: The reason, in words.
        left_out: Skills that were not compared, each with the reason.
    """

    photos: int
    sets: int
    folds: int
    backbones: Sequence[Probed]
    recommended: str
    why: str
    left_out: Mapping[str, str]


def probe(
    fleet: Fleet, backbones: Sequence[str], *, config: ProbeConfig | None = None, context: Context | None = None
) -> ProbeReport:
    """Compare backbones on a sample of the fleet's training and validation photos.

    Linear heads are trained on the clean features of all folds but one, and answer the photos of that one. The strength
    of their regularisation is picked on the same photos, for every backbone alike, so that the accuracies are slightly
    too high and their differences are not. The steps up to augment are run first if they have to be.

    Args:
        fleet: The fleet, located.
        backbones: As in the fleet file; one that stands there twice is compared once.
        config: Settings; None for the defaults.
        context: The surroundings; None opens the fleet's own store.

    Raises:
        InvalidConfigError: there is no such backbone, or it is not usable.
        DataError: the photos bear no comparison.
    """
    config = config or ProbeConfig()
    context = context or open_context(fleet)
    sources = {name: find_backbone(name) for name in dict.fromkeys(backbones)}
    validate, augment = _prepared(fleet, context)
    policy = read_policy(augment.path)
    sample = draw_sample(context.store, validate, fleet, photos=config.photos, folds=config.folds, seed=config.seed)
    measured = []
    for name, source in sources.items():
        spec = ensure_backbone(context.store, source, progress=context.progress)
        features = _features(context, Backbone(source, spec), policy, sample)
        predicted = predict_out_of_fold(sample, features, components=_COMPONENTS)
        scores = balanced_accuracies(sample, predicted, replicates=REPLICATES, seed=config.seed)
        keys = [sample.keys[photo_id] for photo_id in sample.photo_ids[:_TIMED_PHOTOS]]
        measured.append(_Measured(name, source, spec, scores, cost(context.store, spec.digest, keys)))
    return _report(context, sample, measured, config)


@dataclass(frozen=True, eq=False)
class _Measured:
    name: str
    source: Source
    spec: BackboneSpec
    scores: Mapping[str, tuple[float, Array]]
    cost: Cost


def _prepared(fleet: Fleet, context: Context) -> tuple[Any, Any]:
    """Return the results of validate and augment, after running the steps up to there where they have to be."""
    from components.augment.step import augment
    from components.ingest.step import ingest
    from components.split.step import split
    from components.validate.step import validate

    ingested = ingest(fleet, context=context)
    validated = validate(fleet, split(fleet, ingested.key, context=context).key, context=context)
    return validated, augment(fleet, validated.key, context=context)


def _features(context: Context, backbone: Backbone, policy: Any, sample: Sample) -> Array:
    """Return the clean features of the sample; those that are not in the cache are computed and stay there."""
    store, spec = context.store, backbone.spec
    photos = [Photo(photo_id, sample.keys[photo_id], (0,)) for photo_id in sample.photo_ids]
    missing = missing_features(store, spec, policy, photos)
    if missing:
        context.progress.note(f"{backbone.source.name}: embedding {len(missing)} of {len(photos)} photos")
        fill_cache(store, backbone, policy, missing, config=EmbedConfig(), progress=context.progress)
    return load_features(store, _Place(spec.feature_space, policy.view_digest, spec.group_sizes), sample.photo_ids, 0)


@dataclass(frozen=True)
class _Place:
    space: str
    view_digest: str
    group_sizes: Mapping[str, int]


def _report(context: Context, sample: Sample, measured: Sequence[_Measured], config: ProbeConfig) -> ProbeReport:
    means = {each.name: _mean(each.scores) for each in measured}
    best = max(means, key=lambda name: means[name][0])
    probed = [
        Probed(
            backbone=each.name,
            input_px=each.spec.input_px,
            dimensions=each.spec.dimensions,
            megabytes=fetch_onnx(context.store, each.spec).stat().st_size / 1e6,
            cost=each.cost,
            skills={skill: _interval(*score) for skill, score in each.scores.items()},
            mean=_interval(*means[each.name]),
            behind_best=_interval(means[best][0] - means[each.name][0], means[best][1] - means[each.name][1]),
        )
        for each in sorted(measured, key=lambda each: each.cost.ms_per_photo)
    ]
    errors = {name: float(np.std(means[best][1] - means[name][1], ddof=1)) for name in means}
    recommended, why = recommend(probed, best, errors)
    return ProbeReport(
        photos=len(sample.photo_ids),
        sets=len(np.unique(sample.sets)),
        folds=config.folds,
        backbones=probed,
        recommended=recommended,
        why=why,
        left_out=sample.left_out,
    )


def _mean(scores: Mapping[str, tuple[float, Array]]) -> tuple[float, Array]:
    return float(np.mean([value for value, _ in scores.values()])), np.mean([drawn for _, drawn in scores.values()], 0)


def _interval(value: float, drawn: Array) -> Interval:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))


def recommend(probed: Sequence[Probed], best: str, errors: Mapping[str, float]) -> tuple[str, str]:
    """Return the fastest backbone within one standard error of the best, and the reason in words.

    Args:
        probed: The backbones, the fastest first.
        best: The one of the highest mean balanced accuracy.
        errors: Standard error of each one's paired difference from the best.
    """
    chosen = next(each for each in probed if each.behind_best.value <= errors[each.backbone])
    figures = f"{chosen.mean.value:.3f} balanced accuracy at {chosen.cost.ms_per_photo:.0f} ms a photo"
    if len(probed) == 1:
        return chosen.backbone, f"{chosen.backbone} is the only backbone compared: {figures}"
    if chosen.backbone == best:
        faster = "and no faster one comes within one standard error" if chosen is not probed[0] else "and the fastest"
        return best, f"{best} is the most accurate, {figures}, {faster}"
    behind, error = chosen.behind_best.value, errors[chosen.backbone]
    return chosen.backbone, (
        f"{chosen.backbone} is the fastest within one standard error of the most accurate, {best}: {figures}; "
        f"{best} is ahead by {behind:.3f} ± {error:.3f}"
    )
