"""Study of transforms: the features of a sample of photos under each, and what that does to each skill."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.features import load_features
from coachworks.fleet.model import Augment, Fleet
from coachworks.models.backbone import BackboneSpec
from coachworks.photos import WHOLE
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.store import Store
from coachworks.tables import read_table
from components.augment.declaration import named
from components.augment.policy import Policy, policy_of, read_policy
from components.augment.sample import chosen
from components.augment.study_report import BREAKING, SkillStudy, StudyReport, moves_text
from components.augment.transform_effects import Sample, effects, samples
from components.embed.cache_filling import Backbone, fill_cache, missing_features
from components.embed.config import EmbedConfig
from components.embed.framing import frames_of
from components.embed.source import Source
from components.embed.work import Photo

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Place:
    """The place of one transform's features in the cache."""

    space: str
    view_digest: str
    group_sizes: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Embedder:
    """All that computes features: the store, the backbone, the settings and the progress."""

    store: Store
    source: Source
    spec: BackboneSpec
    config: EmbedConfig
    progress: Progress


def study_policy(fleet: Fleet, augmented: Result[Any], embedder: Embedder, *, photos: int) -> StudyReport:
    """Study the transforms of the fleet's policy, and note which labels they break.

    Args:
        fleet: The fleet.
        augmented: The result of augment.
        embedder: Computes the features that the cache lacks.
        photos: Number of photos in the sample.
    """
    policy = read_policy(augmented.path)
    report = study_transforms(fleet, augmented, named(policy.declared), embedder, photos=photos, donors=policy.donors)
    for skill, studied in report.skills.items():
        for name, effect in studied.transforms.items():
            if effect.verdict in BREAKING:
                embedder.progress.note(f"{skill}: {name} {effect.verdict} labels, {moves_text(effect)}")
    return report


def study_transforms(
    fleet: Fleet,
    validated: Result[Any],
    entries: Mapping[str, Mapping[str, Any]],
    embedder: Embedder,
    *,
    photos: int,
    donors: Sequence[str] = (),
) -> StudyReport:
    """Study transforms, each alone and applied to every photo, on a sample of training and validation photos.

    Args:
        fleet: The fleet.
        validated: The result of validate, or of a later step.
        entries: The transforms by name, each in the form of the fleet file.
        embedder: Computes the features that the cache lacks.
        photos: Number of photos in the sample.
        donors: Keys of training photos that transforms may copy from.
    """
    sample = draw_study_sample(fleet, validated, embedder.store, photos)
    listed, studied = sample.listed(fleet), {}
    if sample.skills and entries:
        transformed = _transformed(embedder, entries, listed, fleet.spec.augment.seed, donors)
        studied = effects(clean_features(embedder, listed), transformed, sample.skills)
    without = {skill: SkillStudy(photos=0, reason=why, balanced_accuracy=float("nan"), transforms={})
               for skill, why in sample.reasons.items()}  # fmt: skip
    by_skill = {**without, **studied}
    return StudyReport(
        photos=len(listed) if studied else 0,
        declared={name: dict(entry) for name, entry in entries.items()},
        skills={skill: by_skill[skill] for skill in fleet.spec.skills if skill in by_skill},
    )


@dataclass(frozen=True, eq=False)
class StudySample:
    """Photos of a study.

    Attributes:
        photo_ids: The N photos, of the training and validation splits.
        catalogue: The catalogue of all photos.
        skills: The photos of each skill that can be studied.
        reasons: Why each other skill cannot.
    """

    photo_ids: Sequence[str]
    catalogue: "pd.DataFrame"
    skills: Mapping[str, Sample]
    reasons: Mapping[str, str]

    def listed(self, fleet: Fleet) -> list[Photo]:
        """Return the photos as the fleet frames them, in no view yet."""
        keys = dict(zip(self.catalogue["photo_id"], self.catalogue["uri"], strict=True))
        frames = frames_of(self.catalogue, fleet)
        return [Photo(photo_id, str(keys[photo_id]), (), frames.get(photo_id, WHOLE)) for photo_id in self.photo_ids]


def draw_study_sample(fleet: Fleet, validated: Result[Any], store: Store, photos: int) -> StudySample:
    """Draw the photos of a study, of as many labels as possible; arguments as `study_transforms`."""
    from components.validate.admitted import admitted

    labels = admitted(store, validated, fleet)
    labels = labels[labels["split"].isin(["train", "validation"])]
    photo_ids = sorted(chosen(labels, photos))
    skills, reasons = samples(labels, photo_ids, {skill: fleet.skill(skill).labels for skill in fleet.spec.skills})
    catalogue = read_table(ancestor(store, validated, "ingest").path / "catalogue.parquet")
    return StudySample(photo_ids, catalogue, skills, reasons)


def clean_features(embedder: Embedder, listed: Sequence[Photo]) -> NDArray[np.float32]:
    """Return the features of clean photos, (N, D); those that the cache lacks are computed."""
    return _features(embedder, policy_of(Augment(transforms=[])), listed, 0)


def _transformed(
    embedder: Embedder,
    entries: Mapping[str, Mapping[str, Any]],
    listed: Sequence[Photo],
    seed: int,
    donors: Sequence[str],
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield each transform with the features of the photos that it has changed, (N, D)."""
    for name, entry in entries.items():
        transform, arguments = next(iter(entry.items()))
        always = {transform: {**(arguments or {}), "p": 1.0}}
        policy = policy_of(Augment(views=1, seed=seed, transforms=[always]), donors)
        yield name, _features(embedder, policy, listed, 1)


def _features(embedder: Embedder, policy: Policy, listed: Sequence[Photo], view: int) -> NDArray[np.float32]:
    store, spec = embedder.store, embedder.spec
    requested = [replace(photo, views=(view,)) for photo in listed]
    missing = missing_features(store, spec, policy, requested)
    if missing:
        backbone = Backbone(embedder.source, spec)
        fill_cache(store, backbone, policy, missing, config=embedder.config, progress=embedder.progress)
    place = _Place(spec.feature_space, policy.view_digest, spec.group_sizes)
    return load_features(store, place, [photo.row_id for photo in listed], view)
