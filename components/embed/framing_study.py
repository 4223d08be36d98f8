"""Study of framings: photos whole, cropped and turned upright as a table says, skill by skill."""

from dataclasses import replace
from typing import Any

import numpy as np

from coachworks.fleet.model import Fleet
from coachworks.result import Result
from components.augment.study_report import FramingStudy, StudyReport
from components.augment.transform_effects import framing_effects
from components.embed.backbones import ensure_backbone
from components.embed.framing import framed, other_framings
from components.embed.transform_study import Embedder, clean_features, draw_study_sample


def with_framings(
    report: StudyReport, fleet: Fleet, validated: Result[Any], embedder: Embedder, *, photos: int
) -> StudyReport:
    """Return a study with the effects of the framings that the fleet's tables allow beside its own.

    Args:
        report: The study of transforms.
        fleet: The fleet.
        validated: The result of validate, or of a later step.
        embedder: Computes the features that the cache lacks.
        photos: Number of photos in the sample, as in the study of transforms.
    """
    sample = draw_study_sample(fleet, validated, embedder.store, photos)
    others = other_framings(fleet, sample.catalogue)
    if not sample.skills or not others:
        return report
    own = sample.listed(fleet)
    current = clean_features(embedder, own)
    effects: dict[str, dict[str, FramingStudy]] = {skill: {} for skill in sample.skills}
    for name, other in others.items():
        source = framed(embedder.source, other)
        spec = ensure_backbone(embedder.store, source, progress=embedder.progress)
        listed = sample.listed(other)
        features = clean_features(replace(embedder, source=source, spec=spec), listed)
        changed = np.array([photo.frame != before.frame for photo, before in zip(listed, own, strict=True)])
        for skill, effect in framing_effects(current, features, changed, sample.skills).items():
            effects[skill][name] = effect
    skills = {name: replace(skill, framings=effects.get(name, {})) for name, skill in report.skills.items()}
    return replace(report, skills=skills)
