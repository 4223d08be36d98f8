"""Backbones compared on a sample of a fleet's photos: what is drawn, what is recommended, what a person sees."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coachworks.context import open_context
from coachworks.errors import DataError, InvalidConfigError
from coachworks.fleet.reader import read_fleet
from coachworks.results import latest, load
from coachworks.tables import read_table
from pipelines.probing.accuracy import balanced_accuracies, predict_out_of_fold
from pipelines.probing.probe import Cost, Interval, ProbeConfig, Probed, probe, recommend
from pipelines.probing.sample import Sample, draw_sample


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
    for number in np.unique(sample.sets):
        assert len(np.unique(sample.folds[sample.sets == number])) == 1
    assert drawn(probed_toys).photo_ids == sample.photo_ids


def sample_of(features: np.ndarray, answers: np.ndarray, sets: np.ndarray) -> Sample:
    return Sample(
        photo_ids=tuple(f"{number:064x}" for number in range(len(features))),
        keys={},
        labels={"skill": ("a", "b")},
        answers=answers[:, None],
        sets=sets,
        folds=sets % 4,
        left_out={},
    )


def test_features_that_tell_labels_apart_are_more_accurate_than_noise():
    rng = np.random.default_rng(0)
    answers = np.arange(200) % 2
    noise = rng.normal(size=(200, 8)).astype(np.float32)
    telling = noise + 3 * answers[:, None].astype(np.float32)
    sample = sample_of(noise, answers, np.arange(200) // 2)
    scores = {
        name: balanced_accuracies(sample, predict_out_of_fold(sample, features, components=8), replicates=200, seed=0)[
            "skill"
        ]
        for name, features in (("noise", noise), ("telling", telling))
    }
    assert scores["telling"][0] > 0.95
    assert abs(scores["noise"][0] - 0.5) < 0.12
    assert np.percentile(scores["telling"][1] - scores["noise"][1], 2.5) > 0.2


def figures(backbone: str, ms: float, mean: float, behind: float) -> Probed:
    interval = Interval(value=mean, low=mean - 0.02, high=mean + 0.02)
    return Probed(
        backbone=backbone,
        input_px=224,
        dimensions=8,
        megabytes=1.0,
        cost=Cost(ms_per_photo=ms, memory_mib=100),
        skills={"skill": interval},
        mean=interval,
        behind_best=Interval(value=behind, low=behind, high=behind),
    )


@pytest.mark.parametrize(
    ("behind", "error", "recommended"), [(0.01, 0.02, "small"), (0.03, 0.02, "large"), (0.02, 0.02, "small")]
)
def test_the_fastest_backbone_within_one_standard_error_is_recommended(behind: float, error: float, recommended: str):
    probed = [figures("small", 5, 0.9 - behind, behind), figures("large", 20, 0.9, 0.0)]
    assert recommend(probed, "large", {"small": error, "large": 0.0})[0] == recommended


def test_a_sample_that_bears_no_comparison_says_why(probed_toys: Path):
    with pytest.raises(DataError, match=r"no skill can be compared .*one (label|set).*`--photos`"):
        drawn(probed_toys, photos=1)


@pytest.mark.parametrize(("setting", "least"), [("photos", 20), ("folds", 2), ("seed", 0)])
def test_a_setting_out_of_range_is_refused(setting: str, least: int):
    with pytest.raises(InvalidConfigError, match=f"{setting} must be at least {least}; got {least - 1}"):
        ProbeConfig(**{setting: least - 1})


def test_a_backbone_that_does_not_exist_is_refused_before_any_work(probed_toys: Path):
    fleet = read_fleet(probed_toys / "fleet.yaml")
    with pytest.raises(InvalidConfigError, match="backbone must be one of"):
        probe(fleet, ["efficientnet-lite9"])
