"""The step train on lanes with a skill that has too little or damaged data: it stops with a reason, alone."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_fleets import small_fleet

from coachworks import feature_table
from coachworks.context import Context
from coachworks.errors import DataError
from coachworks.features import view_folder, write_shard
from coachworks.fleet.model import Fleet
from coachworks.models.head import load_head
from coachworks.result import Result
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tables import SPLIT_LABELS, write_table
from components.train.report import TrainReport
from components.train.step import train

PHOTOS = 40
SIZES = {"last": 8, "blocks-mean": 6}
Row = tuple[int, str, str]  # photo, label, split


def photo_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def split_of(number: int) -> str:
    return "train" if number % 5 < 3 else "validation" if number % 5 == 3 else "test"


GOOD: list[Row] = [(number, "ab"[number % 2], split_of(number)) for number in range(PHOTOS)]


def write_features(store: FolderStore, order: Sequence[int], shard: int = 40) -> None:
    """Features that show the parity of the photo's number, in shards of this size."""
    points = np.random.default_rng(0).normal(size=(PHOTOS, sum(SIZES.values())))
    points[:, 0] += 4 * (np.arange(PHOTOS) % 2)
    for start in range(0, PHOTOS, shard):
        rows = order[start : start + shard]
        for group, columns in (("last", slice(0, 8)), ("blocks-mean", slice(8, 14))):
            part = points[rows, columns].astype(np.float32 if group == "last" else np.float16)
            write_shard(store, view_folder("features/some", "f" * 64, 0, group), [photo_id(n) for n in rows], part)


def embedded(store: FolderStore, rows: dict[str, list[Row]], *, one_set: bool = False) -> str:
    """Key of a result of embed, over made-up results of the earlier steps."""
    labels = pd.DataFrame(
        [
            {"photo_id": photo_id(n), "skill": skill, "label": label, "confidence": 1.0, "votes": 1, "agreement": 1.0,
             "split": split, "set_id": "all" if one_set else str(n)}
            for skill, own in rows.items()
            for n, label, split in own
        ]
    )  # fmt: skip

    def split(folder: Path) -> dict[str, int]:
        write_table(labels, folder / "labels.parquet", SPLIT_LABELS)
        columns = ["photo_id", "set_id", "split"]
        splits = labels[columns].drop_duplicates("photo_id")
        write_table(splits, folder / "splits.parquet", dict.fromkeys(columns, "string"))
        return {"photos": PHOTOS}

    def made(step, inputs, build):
        return produce(step, inputs, build, context=Context(store), code="made up").key

    passed = {"passed": True, "failures": [], "warnings": []}
    verdicts = {"skills": dict.fromkeys(rows, passed), "findings": [], "photos": PHOTOS, "expectations": 0,
                "near_duplicates": 0}  # fmt: skip
    policy = {"views": 0, "policy_digest": "p", "transforms": [], "photos_shown": 0}
    report = {
        "backbone": "made-up", "backbone_digest": "b" * 64, "space": "features/some", "view_digest": "f" * 64,
        "policy_digest": "p", "dimensions": 8, "views": 0, "photos": PHOTOS, "computed": PHOTOS, "reused": 0,
        "seconds": 0.0, "photos_per_second": 0.0, "device": "cpu", "workers": 1, "groups": list(SIZES.items()),
    }  # fmt: skip
    key = made("split", {"ingest": made("ingest", {}, lambda _: {"photos": PHOTOS})}, split)
    key = made("augment", {"validate": made("validate", {"split": key}, lambda _: verdicts)}, lambda _: policy)
    return made("embed", {"augment": key}, lambda _: report)


def fleet_of(store: FolderStore, candidates: Sequence[str] = ("linear", "knn")) -> Fleet:
    labels = {"labels": ["a", "b"], "candidates": [*candidates]}
    return small_fleet({"hard": labels, "good": labels}, store=store.uri)


@pytest.fixture
def trained(store: FolderStore) -> Callable[..., Result[TrainReport]]:
    """Train two skills: `hard` on these rows, `good` on all photos."""

    def run(rows: list[Row], **settings) -> Result[TrainReport]:
        write_features(store, range(PHOTOS))
        return train(fleet_of(store), embedded(store, {"hard": rows, "good": GOOD}, **settings))

    return run


def assert_good(result: Result[TrainReport]) -> None:
    record = result.report.skills["good"]
    assert record.status == "trained"
    assert load_head(result.path / "good" / f"{record.winner}.safetensors").labels == ("a", "b")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(n, "a", split) for n, _, split in GOOD], id="one label"),
        pytest.param([(n, label if split == "test" else "a", split) for n, label, split in GOOD], id="only in test"),
        pytest.param([(n, label if split != "train" else "a", split) for n, label, split in GOOD], id="not in train"),
    ],
)
def test_a_label_without_a_training_photo_stops_its_skill_and_no_other(trained, rows: list[Row]) -> None:
    result = trained(rows)
    record = result.report.skills["hard"]
    assert (record.status, record.winner) == ("dropped", None)
    assert record.reason == ("no training photo carries 'b'. Label photos of it, or take it out of the skill's labels")
    assert_good(result)


def test_a_skill_without_any_photo_stops_alone(trained) -> None:
    result = trained([])
    assert result.report.skills["hard"].reason.startswith("no training photo carries 'a', 'b'. Label photos of it")
    assert_good(result)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_photo_of_a_label_is_enough_to_train(trained, split: str) -> None:
    """Its other photos are left out of one split after another; in train there has to be one."""
    alone = next(n for n, label, own in GOOD if label == "b" and own == split)
    always = next(n for n, label, own in GOOD if label == "b" and own == "train")
    rows = [row for row in GOOD if row[1] == "a" or row[0] in {alone, always}]
    result = trained(rows)
    assert result.report.skills["hard"].status == "trained"
    assert_good(result)


@pytest.mark.parametrize("missing", [{"validation"}, {"test"}, {"validation", "test"}], ids=sorted)
def test_an_empty_split_does_not_stop_training(trained, missing: set[str]) -> None:
    result = trained([row for row in GOOD if row[2] not in missing])
    record = result.report.skills["hard"]
    assert (record.status, record.refitted) == ("trained", "validation" not in missing)
    if "validation" in missing:
        assert record.why == "linear is the simplest candidate; there are no validation photos to compare by"
    assert_good(result)


def test_photos_of_one_set_train_without_folds(trained) -> None:
    result = trained([(n, label, "train") for n, label, _ in GOOD], one_set=True)
    assert {record.status for record in result.report.skills.values()} == {"trained"}


def test_features_that_are_no_numbers_are_refused_with_the_photo(store: FolderStore) -> None:
    features = np.zeros((3, 8), np.float32)
    features[1, 4] = np.nan
    with pytest.raises(DataError) as caught:
        write_shard(store, "features/some/clean", [photo_id(n) for n in range(3)], features)
    assert str(caught.value) == (
        f"features must be finite; those of the photo {photo_id(1)} are not. Take the photo out of its source, or "
        "name another backbone."
    )


def test_equal_data_give_equal_bytes_whatever_the_shards_and_wherever_the_tables_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("linear", "naive-bayes", "knn", "svm", "mlp")
    digests = []
    for number, (order, shard) in enumerate([(range(PHOTOS), 40), (range(PHOTOS)[::-1], 7)]):
        store = FolderStore(tmp_path / str(number))
        write_features(store, order, shard)
        result = train(fleet_of(store, kinds), embedded(store, {"hard": GOOD, "good": GOOD}))
        files = sorted(result.path.rglob("*.safetensors"))
        assert len(files) == 10
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
        monkeypatch.setattr(feature_table, "IN_MEMORY_BYTES", 0)
    assert digests[0] == digests[1]
