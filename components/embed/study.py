"""The study of the whole toolkit, for `coachworks augment --study`."""

from pathlib import Path

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import load, produce
from components.augment.declaration import named
from components.augment.named import TOOLKIT
from components.augment.policy import declared_transforms
from components.augment.step import donors_of
from components.augment.study_report import StudyReport
from components.embed.backbones import ensure_backbone
from components.embed.config import EmbedConfig
from components.embed.framing import framed_backbone
from components.embed.framing_study import with_framings
from components.embed.probing.choosing import ensure_choice
from components.embed.transform_study import Embedder, study_transforms

PICTURE = "study.png"


def study(
    fleet: Fleet,
    validate: str,
    *,
    photos: int = 400,
    config: EmbedConfig | None = None,
    context: Context | None = None,
) -> Result[StudyReport]:
    """Study each transform of the policy and of the toolkit, and other framings of the photos: effects on each skill.

    Args:
        fleet: The fleet, located.
        validate: Key of the result of validate, whose photos are studied.
        photos: Number of photos in the sample, of the training and validation splits; at least 1.
        config: Settings of the embedding; None for the defaults.
        context: The surroundings of the task; None opens the fleet's own store.

    Returns:
        A `StudyReport`, and the picture `study.png` if any skill could be studied.

    Raises:
        InvalidConfigError: the number of photos, a transform or the backbone is not usable.
    """
    if photos < 1:
        raise InvalidConfigError(f"photos must be an integer of at least 1; got {photos!r}")
    context = context or open_context(fleet)
    store = context.store
    config = config or EmbedConfig()
    validated = load(store, "validate", validate)
    choice = ensure_choice(fleet, lambda: validated, embedding=config, context=context)
    source = framed_backbone(choice.backbone, fleet)
    policy = declared_transforms(fleet.spec.augment)
    toolkit = [name for name in TOOLKIT if name != "box-jitter" or fleet.spec.framing.crop == "box"]
    entries = named([*policy, *({name: {}} for name in toolkit if not any(name in entry for entry in policy))])

    def build(folder: Path) -> StudyReport:
        from components.augment.study_picture import draw_study

        spec = ensure_backbone(store, source, progress=context.progress)
        embedder = Embedder(store, source, spec, config, context.progress)
        donors = donors_of(store, validated, fleet, always=True)
        report = study_transforms(fleet, validated, entries, embedder, photos=photos, donors=donors)
        report = with_framings(report, fleet, validated, embedder, photos=photos)
        draw_study(report, folder / PICTURE)
        return report

    inputs = {
        "validate": validate,
        "backbone": source.digest,
        "labels": {name: list(fleet.skill(name).labels) for name in fleet.spec.skills},
        "transforms": list(entries.values()),
        "margin": fleet.spec.framing.margin,
        "seed": fleet.spec.augment.seed,
        "photos": photos,
    }
    return produce(StudyReport, inputs, build, context=context, code=code_digest(__name__))
