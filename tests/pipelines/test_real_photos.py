"""The whole way on real photos, where COACHWORKS_DATA names them: from a folder to served answers."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.data, pytest.mark.timeout(1500)]


def skills(table: dict[str, Any]) -> dict[str, Any]:
    return {row["skill"]: row for row in table["skills"]}


@pytest.fixture(scope="module")
def trashnet(data_folder: Path, tmp_path_factory: pytest.TempPathFactory, run_coachworks) -> tuple[Path, dict]:
    """`init` and `run` on trashnet, as a person would."""
    folder = tmp_path_factory.mktemp("trashnet")
    begun = run_coachworks("init", data_folder / "trashnet", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    done = run_coachworks("run", "--json", cwd=folder, timeout=1200)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_init_and_run_work_the_first_time_and_are_as_good_as_frozen_features_can_be(trashnet) -> None:
    _, table = trashnet
    measured = skills(table)["material"]["balanced_accuracy"]
    print(f"trashnet, EfficientNet-Lite0: {measured}")
    assert measured["value"] >= 0.83
    assert skills(table)["material"]["registration"] == "champion"


def test_the_three_pairs_of_duplicates_with_contradicting_labels_are_found(trashnet) -> None:
    folder, _ = trashnet
    report = json.loads((folder / "store" / "latest" / "validate" / "report.json").read_text("utf-8"))["report"]
    (duplicates,) = (finding for finding in report["findings"] if "contradict" in finding["check"])
    assert duplicates["count"] == 3
    page = (folder / "store" / "latest" / "validate" / "page.html").read_text("utf-8")
    for pair in ("glass115 metal91", "glass176 plastic152", "glass389 plastic332"):
        assert all(name in page for name in pair.split())


def test_the_server_answers_about_a_real_photo(trashnet, data_folder: Path) -> None:
    from coachworks.cli.serve import serving
    from serving.answer_format import Prediction
    from serving.client import Client

    folder, _ = trashnet
    with serving(folder / "fleet.yaml") as url:
        photo = data_folder / "trashnet" / "paper" / "paper1.jpg"
        answer = Client(url).predict(photo.read_bytes())
    assert isinstance(answer, Prediction), answer
    assert answer.answers["material"].label == "paper"


def test_a_local_folder_of_weights_serves_as_backbone(trashnet, data_folder: Path, run_coachworks) -> None:
    weights = data_folder.parent / "weights" / "mobilenet_v2_1.0_224"
    if not weights.is_dir():
        pytest.skip(f"no weights in {weights}")
    folder, _ = trashnet
    text = (folder / "fleet.yaml").read_text("utf-8")
    text = text.replace("backbone: efficientnet-lite0", f"backbone: {weights}").replace(
        "store: ./store", "store: ./store-2"
    )
    (folder / "mobilenet.yaml").write_text(text, "utf-8")
    done = run_coachworks("run", "--json", "-f", "mobilenet.yaml", cwd=folder, timeout=1200)
    assert done.returncode == 0, done.stderr
    measured = skills(json.loads(done.stdout))["material"]["balanced_accuracy"]
    print(f"trashnet, MobileNetV2: {measured}")
    assert measured["value"] >= 0.80


def test_two_skills_over_the_same_photos_with_the_official_split(
    data_folder: Path, tmp_path: Path, run_coachworks
) -> None:
    import csv

    begun = run_coachworks("init", data_folder / "grocery", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    file = tmp_path / "fleet.yaml"
    text = file.read_text("utf-8").replace("minBalancedAccuracy: 0.8", "minBalancedAccuracy: 0.5")
    file.write_text(text, "utf-8")
    done = run_coachworks("run", "--json", cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stderr
    table = skills(json.loads(done.stdout))
    print({name: row["balanced_accuracy"] for name, row in table.items()})
    assert {row["registration"] for row in table.values()} == {"champion"}
    assert table["coarse"]["balanced_accuracy"]["value"] >= 0.70

    import pandas as pd

    official = {row["path"]: row["split"] for row in csv.DictReader((data_folder / "grocery" / "labels.csv").open())}
    latest = tmp_path / "store" / "latest"
    catalogue = pd.read_parquet(latest / "ingest" / "catalogue.parquet")
    splits = pd.read_parquet(latest / "split" / "splits.parquet")
    merged = catalogue[["photo_id", "filename"]].merge(splits, on="photo_id")
    demanded = merged["filename"].map(official).replace({"val": "validation"})
    assert (demanded == merged["split"]).all()
