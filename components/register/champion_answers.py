"""Answers of the champion on the test photos of the current evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import NotFoundError
from coachworks.models.keys import head_key
from coachworks.store import Store
from coachworks.tracking import TrackingClient
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import EVALUATE, HEAD_DIGEST
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER, HEAD_FILE
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
    client: TrackingClient, store: Store, record: SkillRecord, champion: Version, photo_ids: Sequence[str]
) -> ChampionAnswers:
    """Return the champion's answers on `photo_ids`.

    Its head is evaluated again if it reads the features of the current backbone. Otherwise they are the recorded
    answers of its own evaluation, on the photos that were in the test split then.
    """
    if champion.tags.get("backbone_digest") == record.backbone.backbone_digest:
        head_file = _head_file(client, store, champion)
        return ChampionAnswers(_predict(head_file, store, record, photo_ids), "its head, evaluated again")
    recorded = _recorded(client, store, record, champion)
    return ChampionAnswers(
        {photo_id: recorded[photo_id] for photo_id in photo_ids if photo_id in recorded},
        "the answers recorded at its own evaluation, since it reads another backbone",
    )


def _predict(head_file: Path, store: Store, record: SkillRecord, photo_ids: Sequence[str]) -> dict[str, str]:
    from coachworks.features import load_features
    from coachworks.models.head import load_head

    head = load_head(head_file)
    best = head.logits(load_features(store, record.backbone, photo_ids, 0)).argmax(axis=1)
    return {photo_id: head.labels[index] for photo_id, index in zip(photo_ids, best, strict=True)}


def _head_file(client: TrackingClient, store: Store, champion: Version) -> Path:
    """Fetch the champion's head from the store, or else from the registry: it may come from another store."""
    key = head_key(champion.tags[HEAD_DIGEST])
    if not store.exists(key):
        with store.scratch() as folder:
            store.write_file(key, Path(_download(client, champion, f"{FOLDER}/{HEAD_FILE}", folder)))
    return store.fetch(key)


def _recorded(client: TrackingClient, store: Store, record: SkillRecord, champion: Version) -> dict[str, str]:
    import pyarrow.parquet as pq

    columns = ["photo_id", "predicted"]
    skill = champion.tags.get("skill", record.name)  # its name then
    stored = f"results/evaluate/{champion.tags.get(EVALUATE, 'unknown')}/{skill}/predictions.parquet"
    if store.exists(stored):
        table = pq.read_table(store.fetch(stored), columns=columns)
    else:
        with store.scratch() as folder:
            table = pq.read_table(_download(client, champion, PREDICTIONS, folder), columns=columns)
    return {row["photo_id"]: row["predicted"] for row in table.to_pylist()}


def _download(client: TrackingClient, champion: Version, path: str, folder: Path) -> str:
    if champion.run_id is None:
        raise NotFoundError(
            f"version {champion.number}, the champion, has no run that could hold {path!r}. "
            "Move the alias `champion` to another version in MLflow, then run again."
        )
    return str(client.download_artifacts(champion.run_id, path, str(folder)))
