"""Backbones compared on a sample of a fleet's photos: what is drawn, what is recommended, what a person sees."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from coachworks.context import open_context
from coachworks.errors import DataError, InvalidConfigError
from coachworks.fleet.reader import read_fleet
from coachworks.results import latest, load
from coachworks.store import read_record
from coachworks.tables import read_table
from components.embed.choice import choice_key, read_choice
from components.embed.probing.accuracy import balanced_accuracies
from components.embed.probing.comparison import ProbeConfig
from components.embed.probing.network_cost import multiply_adds
from components.embed.probing.report import Interval, Probed, recommend
from components.embed.probing.sample import Sample, SkillSample, draw_sample
from components.embed.probing.timing import Cost
from components.embed.source import Source
from pipelines.probing.probe import probe


@pytest.fixture(scope="module")
def probed_toys(toys: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small fleet after its first run."""
    return Path(shutil.copytree(toys.folder, tmp_path_factory.mktemp("probe") / "toys", symlinks=True))


def drawn(folder: Path, **settings: int) -> Sample:
    fleet = read_fleet(folder / "fleet.yaml")
    context = open_context(fleet)
    chosen = {"photos": 60, "folds": 3, "seed": 0, **settings}
    return draw_sample(
        context.store, load(context.store, "validate", latest(context.store, "validate")), fleet, **chosen
    )


def test_the_command_shows_table_picture_and_recommendation(probed_toys: Path, coachworks_here: Any):
    command = ("probe", "--photos", "60", "--folds", "3", "--backbones", "efficientnet-lite0")
    done = coachworks_here(*command, cwd=probed_toys)
    assert done.exit_code == 0, done.output
    assert "Recommended: efficientnet-lite0 is the only backbone compared" in " ".join(done.output.split())
    with Image.open(probed_toys / "probe.png") as picture:
        assert min(picture.size) > 400
    done = coachworks_here(*command, "--json", cwd=probed_toys)
    [each] = json.loads(done.stdout)["backbones"]
    assert each["input_px"] == 224
    assert each["dimensions"] == 1280
    assert each["cost"]["ms_per_photo"] > 0
    assert each["multiply_adds"] == pytest.approx(385e6, rel=0.02)  # of 224 px
    assert each["megabytes"] == pytest.approx(13.5, abs=1)
    assert 0.5 < each["mean"]["low"] <= each["mean"]["value"] <= each["mean"]["high"] <= 1


def test_sets_are_whole_and_test_photos_are_not_looked_at(probed_toys: Path):
    sample = drawn(probed_toys)
    fleet = read_fleet(probed_toys / "fleet.yaml")
    store = open_context(fleet).store
    splits = read_table(load(store, "split", latest(store, "split")).path / "splits.parquet")
    tested = set(splits.loc[splits["split"] == "test", "photo_id"])
    assert tested
    assert not tested & set(sample.photo_ids)
    for own in sample.skills.values():
        assert len(np.unique(own.folds)) == 3
        for number in np.unique(own.sets):
            assert len(np.unique(own.folds[own.sets == number])) == 1
    assert drawn(probed_toys).photo_ids == sample.photo_ids


def sample_of(answers: np.ndarray, sets: np.ndarray) -> Sample:
    rows = np.arange(len(answers))
    skill = SkillSample(rows=rows, truth=answers, sets=sets, folds=sets % 4, labels=("a", "b"))
    photo_ids = tuple(f"{number:064x}" for number in rows)
    return Sample(
        photo_ids=photo_ids, keys={}, sets=len(np.unique(sets)), frames={}, skills={"skill": skill}, left_out={}
    )


def test_features_that_tell_labels_apart_are_more_accurate_than_noise():
    rng = np.random.default_rng(0)
    answers = np.arange(200) % 2
    noise = rng.normal(size=(200, 8)).astype(np.float32)
    telling = noise + 3 * answers[:, None].astype(np.float32)
    sample = sample_of(answers, np.arange(200) // 2)
    tables = {"noise": (noise, {"last": 8}), "telling": (telling, {"last": 8})}
    tables["block"] = np.concatenate([noise, telling], 1), {"last": 8, "blocks-mean": 8}
    scores = {
        name: balanced_accuracies(sample, features, sizes, replicates=200, seed=0)["skill"]
        for name, (features, sizes) in tables.items()
    }
    assert scores["telling"][0] > 0.95
    assert scores["block"][0] > 0.95, "a skill reads the feature groups that suit it"
    assert abs(scores["noise"][0] - 0.5) < 0.12
    assert np.percentile(scores["telling"][1] - scores["noise"][1], 2.5) > 0.2


def figures(backbone: str, cost: int, mean: float, behind: float, error: float = 0.0) -> Probed:
    interval = Interval(value=mean, low=mean - 0.02, high=mean + 0.02)
    return Probed(
        backbone=backbone,
        input_px=224,
        dimensions=8,
        multiply_adds=cost,
        megabytes=1.0,
        cost=Cost(ms_per_photo=1e9 / cost, memory_mib=100),
        skills={"skill": interval},
        mean=interval,
        behind_best=Interval(value=behind, low=behind, high=behind),
        standard_error=error,
    )


@pytest.mark.parametrize(
    ("behind", "error", "recommended"), [(0.01, 0.02, "small"), (0.03, 0.02, "large"), (0.02, 0.02, "small")]
)
def test_the_fewest_multiply_adds_within_one_standard_error_are_recommended(
    behind: float, error: float, recommended: str
):
    """Even where this machine happened to be slower with them."""
    probed = [figures("small", 400_000_000, 0.9 - behind, behind, error), figures("large", 900_000_000, 0.9, 0.0)]
    name, why = recommend(probed)
    assert name == recommended
    assert f"for {400 if name == 'small' else 900} million multiply-adds a photo" in why


def test_multiply_adds_are_those_of_the_convolutions_and_matrix_products():
    layers = [torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, groups=8)]
    network = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 5))
    source = Source(
        name="tiny", weights="0", load=lambda: network, input_px=32, mean=(0, 0, 0), std=(1, 1, 1), resampling="box"
    )
    assert multiply_adds(source) == 16 * 16 * 8 * 27 + 14 * 14 * 8 * 9 + 8 * 5


def test_a_sample_that_bears_no_comparison_says_why(probed_toys: Path):
    with pytest.raises(DataError, match=r"no skill can be compared .*one (label|set).*`--photos`"):
        drawn(probed_toys, photos=1)


@pytest.mark.parametrize(("setting", "least"), [("photos", 20), ("folds", 2), ("seed", 0)])
def test_a_setting_out_of_range_is_refused(setting: str, least: int):
    with pytest.raises(InvalidConfigError, match=f"{setting} must be at least {least}; got {least - 1}"):
        ProbeConfig(**{setting: least - 1})


def test_a_choice_is_recorded_only_when_asked_for(probed_toys: Path, coachworks_here: Any):
    fleet = read_fleet(probed_toys / "fleet.yaml")
    store = open_context(fleet).store
    command = ("probe", "--photos", "60", "--folds", "3", "--backbones", "efficientnet-lite0")
    assert coachworks_here(*command, cwd=probed_toys).exit_code == 0
    assert read_choice(store, fleet) is None
    done = coachworks_here(*command, "--choose", cwd=probed_toys)
    expected = "Recorded as the choice of the fleet toys: efficientnet-lite0. Write `backbone: auto` into"
    assert expected in " ".join(done.output.split())
    choice = read_choice(store, fleet)
    assert (choice.backbone, "the only backbone compared" in choice.why) == ("efficientnet-lite0", True)
    assert [each["backbone"] for each in read_record(store, choice_key("toys"))["backbones"]] == ["efficientnet-lite0"]


def test_a_backbone_that_does_not_exist_is_refused_before_any_work(probed_toys: Path):
    fleet = read_fleet(probed_toys / "fleet.yaml")
    with pytest.raises(InvalidConfigError, match="backbone must be one of"):
        probe(fleet, ["efficientnet-lite9"])
