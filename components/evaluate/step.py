"""The step evaluate as a library function: from winners and the test split to verdicts."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.feature_groups import ordered
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor, load, produce
from coachworks.store import Store
from components.embed.report import EmbedReport
from components.evaluate.config import EvaluateConfig
from components.evaluate.report import EvaluateReport, SkillReport
from components.train.report import SkillReport as TrainedSkill
from components.train.report import TrainReport

if TYPE_CHECKING:
    from PIL import Image

    from components.evaluate.measure import Labelled


def evaluate(
    fleet: Fleet,
    train: str,
    skills: Sequence[str] | None = None,
    *,
    config: EvaluateConfig | None = None,
    context: Context | None = None,
) -> Result[EvaluateReport]:
    """Judge the winner of every skill on the test photos, which no earlier step has used.

    Args:
        fleet: The fleet, located.
        train: Key of the result of train.
        skills: The lane; None is all skills of the fleet.
        config: Settings; None is the defaults.
        context: The surroundings of the task; None opens the fleet's own store.

    Returns:
        For every skill that could be judged `<skill>/head.safetensors` (the winner with its temperature),
        `<skill>/predictions.parquet`, pictures; `page.html`; and an `EvaluateReport`.

    Raises:
        NotFoundError: there is no such result of train.
    """
    settings = config or EvaluateConfig()
    lane = list(skills) if skills is not None else list(fleet.spec.skills)
    context = context or open_context(fleet)
    store = context.store
    inputs = {
        "train": train,
        "skills": {name: _rules(fleet, name) for name in lane},
        "replicates": settings.replicates,
        "confidence": settings.confidence,
        "pictures": settings.pictures,
    }

    def build(folder: Path) -> EvaluateReport:
        return _build(store, fleet, load(store, TrainReport, train), lane, settings, context.progress, folder)

    return produce(EvaluateReport, inputs, build, context=context, code=code_digest(__name__))


def _rules(fleet: Fleet, skill: str) -> dict[str, Any]:
    gates, settings = fleet.gates(skill), fleet.skill(skill)
    return {
        "min_balanced_accuracy": gates.min_balanced_accuracy,
        "max_expected_calibration_error": gates.max_expected_calibration_error,
        "critical": settings.tier == "critical",
        "similar": settings.similar,
    }


def _build(
    store: Store,
    fleet: Fleet,
    train: Result[TrainReport],
    lane: list[str],
    config: EvaluateConfig,
    progress: Progress,
    folder: Path,
) -> EvaluateReport:
    from coachworks.models.head import load_head
    from components.evaluate.judging import judge_skill
    from components.evaluate.page import write_page
    from components.evaluate.verdict import Criteria, LearntPhotos
    from components.fonts import missing_notice

    verdicts: dict[str, SkillReport] = {}
    records = train.report.skills
    trained = [skill for skill in lane if records[skill].status == "trained"]
    notice = missing_notice(label for skill in trained for label in records[skill].labels)
    if notice is not None:
        progress.note(notice)
    if trained:
        photos, learnt = _read_labelled(store, fleet, train, trained, progress)
        thumbnail = _thumbnails(store, train)
    with progress.task("evaluate", total=len(lane), unit="skills") as task:
        for skill in lane:
            record = records[skill]
            if skill not in trained:
                verdicts[skill] = SkillReport(status="dropped", reason=record.reason, labels=record.labels)
            else:
                (folder / skill).mkdir()
                verdicts[skill] = judge_skill(
                    load_head(train.path / skill / f"{record.winner}.safetensors"),
                    photos[skill],
                    criteria=Criteria(**_rules(fleet, skill)),
                    learnt=LearntPhotos(by_label=learnt[skill], calibration=_calibrated(record)),
                    config=config,
                    thumbnail=thumbnail,
                    folder=folder / skill,
                )
            task.advance()
    report = EvaluateReport(skills=verdicts)
    write_page(report, folder, fleet=fleet.name, confidence=config.confidence)
    return report


def _read_labelled(
    store: Store, fleet: Fleet, train: Result[TrainReport], skills: list[str], progress: Progress
) -> "tuple[dict[str, Labelled], dict[str, dict[str, int]]]":
    """Read by skill: its test photos, and photos per label that its winner was fitted on.

    A photo's features are read once, however many skills it has labels for.
    """
    import numpy as np

    from coachworks.feature_table import Selected, side_by_side
    from components.embed.stored_features import read_features
    from components.evaluate.measure import Labelled
    from components.validate.admitted import admitted

    embed = ancestor(store, train, EmbedReport)
    groups = {skill: train.report.skills[skill].winner_groups for skill in skills}
    labels = admitted(store, ancestor(store, train, "validate"), fleet)
    labels = labels[labels["skill"].isin(skills)].sort_values(["skill", "photo_id"])
    tested = labels[labels["split"] == "test"]
    names = sorted(tested["photo_id"].unique())
    tables = {
        group: read_features(fleet, embed, names, 0, groups=(group,), progress=progress)
        for group in ordered(group for own in groups.values() for group in own)
    }
    row_of = {name: row for row, name in enumerate(names)}
    photos = {}
    for skill in skills:
        own = tested[tested["skill"] == skill]
        index_of = {label: index for index, label in enumerate(fleet.skill(skill).labels)}
        ids = own["photo_id"].tolist()
        photos[skill] = Labelled(
            photo_ids=ids,
            features=Selected(
                side_by_side([tables[group] for group in groups[skill]]),
                np.array([row_of[name] for name in ids], np.int64),
            ),
            answers=np.array([index_of[label] for label in own["label"]], np.int64),
            sets=own["set_id"].to_numpy(str),
        )
    rest = labels[labels["split"] != "test"]
    learnt = {skill: rest.loc[rest["skill"] == skill, "label"].value_counts().to_dict() for skill in skills}
    return photos, learnt


def _calibrated(record: TrainedSkill) -> int:
    """Number of photos that a winner was calibrated on; earlier versions used the validation photos."""
    return record.calibration.photos if record.calibration else record.photos["validation"]


def _thumbnails(store: Store, train: Result[TrainReport]) -> "Callable[[str], Image.Image]":
    """Return a function from a photo id to its thumbnail; each is drawn once for all skills of the lane."""
    from coachworks.photos import decode_photo
    from coachworks.tables import read_table
    from components.evaluate.contact_sheet import TILE_PX, thumbnail

    catalogue = read_table(ancestor(store, train, "ingest").path / "catalogue.parquet")
    uris = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))

    @functools.cache
    def draw(photo_id: str) -> "Image.Image":
        return thumbnail(decode_photo(store.read(uris[photo_id]), at_least_px=TILE_PX))

    return draw
