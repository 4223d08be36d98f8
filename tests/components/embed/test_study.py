"""The study of transforms, from photos to the table, with a small backbone."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from coachworks.cli.main import cli
from coachworks.cli.study import show_study
from coachworks.errors import InvalidConfigError
from coachworks.store import FolderStore
from components.augment.named import TOOLKIT
from components.augment.step import augment
from components.embed.config import EmbedConfig
from components.embed.step import embed
from components.embed.study import study
from components.train.step import train

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: toys}}
spec:
  store: {store}
  backbone: {backbone}
  sources: [{{photos: ., skill: colour, permission: drawn}}]
  augment:
    transforms:
      - HueSaturationValue: {{hue_shift_limit: [60, 60], p: 0.5}}
  skills:
    colour: {{labels: [red, green, blue]}}
"""


def test_the_command_shows_what_each_transform_does_and_reuses_the_result(
    store: FolderStore, upstream: ModuleType, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    upstream.validated(store, upstream.photos(store, range(60)))
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET.format(store=store.root, backbone=model_folders["resnet"]))
    shown = CliRunner().invoke(cli, ["augment", "--study", "-f", str(file)], catch_exceptions=False).output
    assert "colour" in shown
    assert "none, 48 photos" in shown
    answer = CliRunner().invoke(cli, ["augment", "--study", "--json", "-f", str(file)], catch_exceptions=False)
    document = json.loads(answer.stdout)
    skill = document["report"]["skills"]["colour"]
    assert list(skill["transforms"]) == ["HueSaturationValue", *(name for name in TOOLKIT if name != "box-jitter")]
    turned = skill["transforms"]["HueSaturationValue"]  # 120 degrees: three labels in a circle are no exchange of two
    assert turned["verdict"] == "breaks"
    assert {(move["label"], move["answered"]) for move in turned["moves"]} == {
        ("red", "green"), ("green", "blue"), ("blue", "red"),
    }  # fmt: skip
    assert skill["transforms"]["flip-left-right"]["verdict"] == "keeps"
    assert skill["transforms"]["flip-left-right"]["gain"]["standard_error"] >= 0
    with Image.open(Path(document["path"]) / "study.png") as picture:
        assert picture.width > 900
    folder = Path(document["path"]).parent
    assert [entry.name for entry in folder.iterdir()] == [document["key"]]


def test_a_run_leaves_the_views_of_a_broken_label_out_and_says_so(
    store: FolderStore, upstream: ModuleType, model_folders: dict[str, Path]
) -> None:
    key = upstream.validated(store, upstream.photos(store, range(60)))
    fleet = upstream.fleet(
        store,
        backbone=str(model_folders["resnet"]),
        augment={"views": 1, "transforms": [{"HueSaturationValue": {"hue_shift_limit": [60, 60], "p": 0.5}}]},
        defaults={"candidates": ["linear"]},
    )
    embedded = embed(fleet, augment(fleet, key).key)
    assert embedded.report.study is not None
    assert embedded.report.study.skills["colour"].transforms["HueSaturationValue"].verdict == "breaks"
    trained = train(fleet, embedded.key).report.skills["colour"]
    assert trained.left_out.startswith("views with HueSaturationValue are left out, as it turns red → green (")
    unstudied = embed(fleet, augment(fleet, key).key, config=EmbedConfig(study_photos=0))
    assert unstudied.report.study is None
    assert train(fleet, unstudied.key).report.skills["colour"].left_out == ""


def test_a_sample_without_photos_is_refused(store: FolderStore, upstream: ModuleType) -> None:
    with pytest.raises(InvalidConfigError, match=r"photos must be an integer of at least 1; got 0"):
        study(upstream.fleet(store), "any", photos=0)


def test_too_few_photos_are_not_studied_and_nothing_is_embedded(store: FolderStore, upstream: ModuleType) -> None:
    key = upstream.validated(store, upstream.photos(store, range(12)))
    report = study(upstream.fleet(store), key).report
    assert "each label needs photos of at least 8 sets" in report.skills["colour"].reason
    assert report.photos == 0
    assert not (store.root / "features").exists()


def test_a_negative_sample_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match=r"study_photos must be an integer of at least 0, .*; got -1"):
        EmbedConfig(study_photos=-1)


@pytest.mark.slow
def test_crops_are_measured_beside_whole_photos_and_the_other_way_round(
    store: FolderStore, upstream: ModuleType, model_folders: dict[str, Path]
) -> None:
    drawn = upstream.photos(store, range(60))
    key = upstream.validated(store, drawn, boxes={photo.photo_id: "0,0,9,9" for photo in drawn[:50]})
    effects = {}
    for crop in ("none", "box"):
        fleet = upstream.fleet(store, backbone=str(model_folders["resnet"]), framing={"crop": crop})
        result = study(fleet, key, photos=48)
        [(name, effect)] = result.report.skills["colour"].framings.items()
        effects[name] = effect
        if crop == "box":
            shown = Console(width=200, record=True)
            show_study(result.report, shown)
            assert "whole photos" in shown.export_text()
            assert "box-jitter" in result.report.skills["colour"].transforms
    assert list(effects) == ["crop to the box", "whole photos"]
    crop, whole = effects.values()
    assert whole.balanced_accuracy - crop.balanced_accuracy == pytest.approx(whole.gain.value)
    assert whole.gain.value == pytest.approx(-crop.gain.value)
    assert whole.gain.value > 3 * whole.gain.standard_error > 0, "a corner of 9 pixels does not show the colour"
    assert 38 <= crop.photos == whole.photos <= 48


@pytest.mark.slow
def test_upright_photos_are_measured_beside_those_as_they_are(
    store: FolderStore, upstream: ModuleType, model_folders: dict[str, Path]
) -> None:
    drawn = upstream.photos(store, range(60))
    key = upstream.validated(store, drawn, turns={photo.photo_id: "180" for photo in drawn[:30]})
    framings = []
    for upright in ("exif", "table"):
        fleet = upstream.fleet(
            store,
            backbone=str(model_folders["resnet"]),
            framing={"upright": upright},
            augment={"transforms": [{"flip-left-right": {}}]},
        )
        framings += study(fleet, key, photos=48).report.skills["colour"].framings.items()
    assert [name for name, _ in framings] == ["turn upright", "turn by EXIF alone"]
    assert 0 < framings[0][1].photos == framings[1][1].photos < 48
    assert framings[0][1].gain.value == pytest.approx(-framings[1][1].gain.value)
