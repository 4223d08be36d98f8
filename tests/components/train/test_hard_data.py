"""The step train on lanes with a skill that has too little or damaged data: it stops with a reason, alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from embedded_store import GOOD, PHOTOS, Row, embedded, fleet_of, photo_id, write_features

from coachworks import feature_table
from coachworks.context import Context
from coachworks.errors import DataError
from coachworks.features import write_shard
from coachworks.models.head import load_head
from coachworks.progress import SILENT, Progress
from coachworks.result import Result
from coachworks.store import FolderStore
from components.train.report import TrainReport
from components.train.step import train


@pytest.fixture
def trained(store: FolderStore) -> Callable[..., Result[TrainReport]]:
    """Train two skills: `hard` on these rows, `good` on all photos."""

    def run(rows: list[Row], progress: Progress = SILENT, **settings) -> Result[TrainReport]:
        write_features(store, range(PHOTOS))
        key = embedded(store, {"hard": rows, "good": GOOD}, **settings)
        return train(fleet_of(store), key, context=Context(store, progress=progress))

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


def test_a_skill_without_any_photo_stops_alone_and_is_named(trained) -> None:
    notes: list[str] = []
    result = trained([], SimpleNamespace(task=SILENT.task, note=notes.append))
    assert f"hard is left out: {result.report.skills['hard'].reason}" in notes
    assert result.report.skills["hard"].reason.startswith("no training photo carries 'a', 'b'. Label photos of it")
    assert_good(result)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_photo_of_a_label_is_enough_to_train(trained, split: str) -> None:
    """The only photo of its split beside the one that training needs."""
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
        assert len(files) == 11  # five heads of each skill, and the axes
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
        monkeypatch.setattr(feature_table, "IN_MEMORY_BYTES", 0)
    assert digests[0] == digests[1]
