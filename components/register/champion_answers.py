"""What the champion answers about today's test photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.errors import NotFoundError
from coachworks.models.keys import head_key
from coachworks.store import Store
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import EVALUATE, HEAD_DIGEST
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER, HEAD_FILE
from components.register.runs import PREDICTIONS

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Answers:
    """The champion's answers.

    Attributes:
        by_photo: photo_id -> label, for the photos it can be asked about.
        basis: Where they come from, in words.
    """

    by_photo: dict[str, str]
    basis: str


def champion_answers(
    client: "MlflowClient", store: Store, record: SkillRecord, champion: Version, photo_ids: Sequence[str]
) -> Answers:
    """What the champion answers about `photo_ids`.

    Its head is asked afresh where it reads the features at hand. A champion on another backbone is judged by the
    answers recorded when it was evaluated, about the photos that were in the test split then.
    """
    if champion.tags.get("backbone_digest") == record.backbone["backbone_digest"]:
        return Answers(_ask(_head_file(client, store, champion), store, record, photo_ids), "its head, asked again")
    recorded = _recorded(client, store, record, champion)
    return Answers(
        {photo_id: recorded[photo_id] for photo_id in photo_ids if photo_id in recorded},
        "the answers recorded at its own evaluation, since it reads another backbone",
    )


def _ask(head_file: Path, store: Store, record: SkillRecord, photo_ids: Sequence[str]) -> dict[str, str]:
    from coachworks.features import load_features
    from coachworks.models.head import load_head

    head = load_head(head_file)
    best = head.logits(load_features(store, record.backbone, photo_ids, 0)).argmax(axis=1)
    return {photo_id: head.labels[index] for photo_id, index in zip(photo_ids, best, strict=True)}


def _head_file(client: "MlflowClient", store: Store, champion: Version) -> Path:
    """The champion's head, from the store, else from the registry: another machine may have registered it."""
    key = head_key(champion.tags[HEAD_DIGEST])
    if not store.exists(key):
        with store.scratch() as folder:
            store.write_file(key, Path(_download(client, champion, f"{FOLDER}/{HEAD_FILE}", folder)))
    return store.fetch(key)


def _recorded(client: "MlflowClient", store: Store, record: SkillRecord, champion: Version) -> dict[str, str]:
    import pyarrow.parquet as pq

    columns = ["photo_id", "predicted"]
    kept = f"results/evaluate/{champion.tags.get(EVALUATE, 'unknown')}/{record.name}/predictions.parquet"
    if store.exists(kept):
        table = pq.read_table(store.fetch(kept), columns=columns)
    else:
        with store.scratch() as folder:
            table = pq.read_table(_download(client, champion, PREDICTIONS, folder), columns=columns)
    return {row["photo_id"]: row["predicted"] for row in table.to_pylist()}


def _download(client: "MlflowClient", champion: Version, path: str, folder: Path) -> str:
    if champion.run_id is None:
        raise NotFoundError(
            f"version {champion.number} of the champion has no run to take {path!r} from. "
            "Move the alias `champion` to another version in MLflow, then run again."
        )
    return str(client.download_artifacts(champion.run_id, path, str(folder)))
