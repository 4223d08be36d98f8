"""Answers of the champion on the test photos of the current evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.context import Context
from coachworks.digests import digest_file
from coachworks.errors import DataError, NotFoundError
from coachworks.feature_table import blocks
from coachworks.progress import Progress
from coachworks.store import Store
from coachworks.tracking import CHAMPION, TrackingClient
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import EVALUATE, PREDICTIONS_DIGEST
from components.embed.report import EmbedReport
from components.register.champion_heads import download_artifact, ensure_head
from components.register.lineage import SkillRecord
from components.register.runs import PREDICTIONS


@dataclass(frozen=True)
class ChampionAnswers:
    """Answers of the champion.

    Attributes:
        by_photo: photo_id -> label, for the photos with a known answer.
        basis: Origin of the answers, in words.
    """

    by_photo: dict[str, str]
    basis: str


def champion_answers(
    client: TrackingClient, context: Context, record: SkillRecord, champion: Version, photo_ids: Sequence[str]
) -> ChampionAnswers:
    """Return the champion's answers on `photo_ids`.

    Its head is evaluated again if it reads features that embed has kept of the current backbone. Otherwise they are the
    recorded answers of its own evaluation, on the photos that were in the test split then.

    Args:
        client: MLflow's client.
        context: The surroundings of the task.
        record: The skill.
        champion: The champion.
        photo_ids: The test photos.
    """
    reads = "another backbone"
    if champion.tags.get("backbone_digest") == record.backbone.backbone_digest:
        head = ensure_head(context, lambda: client, record, champion)
        answers = _predict(head, record, photo_ids, context.progress)
        if answers is not None:
            return ChampionAnswers(answers, "its head, evaluated again")
        reads = "feature groups that embed no longer keeps"
    recorded = _recorded(client, context.store, record, champion)
    return ChampionAnswers(
        {photo_id: recorded[photo_id] for photo_id in photo_ids if photo_id in recorded},
        f"the answers recorded at its own evaluation, since it reads {reads}",
    )


def _predict(
    head_file: Path, record: SkillRecord, photo_ids: Sequence[str], progress: Progress
) -> dict[str, str] | None:
    """Return the head's answers; None if it reads feature groups that embed did not keep."""
    from coachworks.models.head import load_head
    from components.embed.stored_features import read_features

    head = load_head(head_file)
    embedded = record.lineage.result(EmbedReport)
    if not set(head.groups) <= set(embedded.report.group_sizes):
        return None
    fleet = record.lineage.fleet
    features = read_features(fleet, embedded, photo_ids, 0, groups=head.groups, progress=progress)
    best = [index for block in blocks(features) for index in head.logits(block).argmax(axis=1)]
    return {photo_id: head.labels[index] for photo_id, index in zip(photo_ids, best, strict=True)}


def _recorded(client: TrackingClient, store: Store, record: SkillRecord, champion: Version) -> dict[str, str]:
    import pyarrow.parquet as pq

    columns = ["photo_id", "predicted"]
    skill = champion.tags.get("skill", record.name)  # its name then
    stored = f"results/evaluate/{champion.tags.get(EVALUATE, 'unknown')}/{skill}/predictions.parquet"
    if store.exists(stored):
        table = pq.read_table(store.fetch(stored), columns=columns)
    else:
        way_out = f"Move the alias `{CHAMPION}` to another version of {record.model!r} in MLflow, then run again."
        try:
            with store.scratch() as folder:
                file = download_artifact(client, champion, PREDICTIONS, folder)
                _compare_digest(file, champion, way_out)
                table = pq.read_table(file, columns=columns)
        except NotFoundError as err:
            raise NotFoundError(f"{err}. {way_out}") from err
    return {row["photo_id"]: row["predicted"] for row in table.to_pylist()}


def _compare_digest(file: Path, champion: Version, way_out: str) -> None:
    """Compare the answers that MLflow gives back with what was logged; earlier versions do not say what that was."""
    expected, actual = champion.tags.get(PREDICTIONS_DIGEST), digest_file(file)
    if expected not in {None, actual}:
        raise DataError(
            f"the SHA-256 of the artifact {PREDICTIONS} of version {champion.number} must be {expected}; got "
            f"{actual}. {way_out}"
        )
