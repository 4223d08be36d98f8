"""Labels made wrong on purpose, on real photos: what losses that stand noise gain, and whether wrong labels are found.

    COACHWORKS_DATA=… python -m benchmarks.training.noise [--folds 3] [--folder FOLDER]

The photos are trashnet's training and validation photos; its test split is not touched. They are dealt into five folds.
Each of the first `--folds` folds in turn keeps its labels and measures, and labels of the other photos are made wrong:
exchanged for another label at random (symmetric) or for the next one (asymmetric), or joined by 20 labels drawn at
random for each right one (arXiv 1705.10694). Four fifths of those photos train, one fifth validates, wrong labels
included. The linear head on the last layer's average is fitted again on all of them with each loss: `nothing` is the
cross-entropy, and `chosen` what the rule of training takes. `share` is the true share of wrong labels and `level` the
estimated one; precision and recall are those of the list of suspicious labels, of the cross-entropy and, `after`, of
what was chosen. All are means over the folds. With --folder the store is kept, and a second call computes no features.
"""

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.fleet.reader import read_fleet
from coachworks.progress import SILENT
from coachworks.scores import tally
from components.augment.step import augment
from components.embed.step import embed
from components.embed.stored_features import read_features
from components.ingest.step import ingest
from components.split.step import split
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.label_noise import LabelNoise
from components.train.lane import Lane
from components.train.lane_photos import photos_of_lane
from components.train.noise_policy import FORWARD, GENERALISED, LEAST, fit_alternatives, stand_noise
from components.train.out_of_fold import FOLDS, fold_of_photos
from components.train.reduction import Reduction, fit_reduction
from components.train.refit import refit
from components.validate.admitted import admitted
from components.validate.step import validate

Array = NDArray[Any]
Spoil = Callable[[Array, int, np.random.Generator], Array]  # (right labels, number of labels, random) -> noisy ones

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: noise}}
spec:
  sources: [{{photos: "{photos}", table: "{photos}/labels.csv"}}]
  augment: {{views: 0}}
  skills: {{material: {{labels: [cardboard, glass, metal, paper, plastic, trash]}}}}
"""
SKILL, COMPONENTS = "material", 256
COPIES = 20  # random labels for each right one


def symmetric(share: float) -> Spoil:
    """Return a function that replaces a share of the labels by other ones, all equally likely."""

    def spoil(answers: Array, labels: int, random: np.random.Generator) -> Array:
        other = (answers + random.integers(1, labels, len(answers))) % labels
        return np.where(random.random(len(answers)) < share, other, answers)

    return spoil


def asymmetric(share: float) -> Spoil:
    """Return a function that replaces a share of the labels by the next one."""

    def spoil(answers: Array, labels: int, random: np.random.Generator) -> Array:
        return np.where(random.random(len(answers)) < share, (answers + 1) % labels, answers)

    return spoil


def copied(answers: Array, labels: int, random: np.random.Generator) -> Array:
    """Return one right label and `COPIES` random ones for each photo, one after the other."""
    table = random.integers(0, labels, (len(answers), 1 + COPIES))
    table[:, 0] = answers
    return table.reshape(-1)


NOISES = {
    "none": symmetric(0.0),
    "symmetric 20 %": symmetric(0.2),
    "symmetric 40 %": symmetric(0.4),
    "asymmetric 30 %": asymmetric(0.3),
    f"{COPIES} random per right label": copied,
}


def real_photos(folder: Path, data: Path) -> tuple[Array, Array, Array]:
    """Return features (N, D), labels (N,) and sets (N,) of the training and validation photos."""
    file = folder / "fleet.yaml"
    file.write_text(FLEET.format(photos=(data / "trashnet").resolve()), "utf-8")
    fleet = read_fleet(file)
    judged = validate(fleet, split(fleet, ingest(fleet).key).key)
    embedded = embed(fleet, augment(fleet, judged.key).key)
    photos = photos_of_lane(fleet, embedded, admitted(embedded.store, judged, fleet), [SKILL], SILENT)
    features = read_features(fleet, embedded, [*photos.train, *photos.validation], 0, progress=SILENT)
    sets = np.concatenate([photos.train_sets, photos.validation_sets + len(photos.train)])
    return features, np.concatenate([photos.answers, photos.validation_answers])[:, 0], sets


def noisy_lane(points: Array, answers: Array, sets: Array, spoil: Spoil, seed: int) -> tuple[Lane, Array]:
    """Return a lane of photos with noisy labels, and which of its labels are wrong, training photos first."""
    labels = int(answers.max()) + 1
    noisy = spoil(answers, labels, np.random.default_rng(seed))
    rows = np.repeat(np.arange(len(answers)), len(noisy) // len(answers))
    validates = (fold_of_photos(answers, sets) == 0)[rows]
    order = np.argsort(validates, kind="stable")
    cut = int((~validates).sum())
    photos, own = points[rows[order]], noisy[order]
    lane = Lane(
        labels={SKILL: tuple(map(str, range(labels)))},
        train=photos[:cut],
        views=(),
        answers=own[:cut, None],
        train_sets=sets[rows[order]][:cut],
        validation=photos[cut:],
        validation_answers=own[cut:, None],
        validation_sets=sets[rows[order]][cut:],
    )
    return lane, own != answers[rows[order]]


def measure(lane: Lane, wrong: Array, points: Array, truth: Array) -> dict[str, float]:
    """Return the balanced accuracy of each loss on photos with right labels, and the quality of the list."""
    labels = len(lane.labels[SKILL])
    size = lane.train.shape[1]
    same = Reduction(np.zeros(size, np.float32), np.eye(size, dtype=np.float32), np.ones(size, np.float32), 1.0)
    config = TrainConfig(components=COMPONENTS)
    outcomes = compete(lane, same, {SKILL: ("linear",)}, config)
    joined = lane.joined()
    refits = refit(lane, joined, same, outcomes, config)

    def accuracy(arrays: Any) -> float:
        answered = (points @ arrays["weight"].T + arrays["bias"]).argmax(1)
        return float(tally(truth, answered, labels).balanced_accuracy)

    results = {"share": float(wrong.mean()), "nothing": accuracy(refits[SKILL].candidate.arrays)}
    results |= quality(refits[SKILL].noise, wrong)
    parameters = outcomes[SKILL].entries["linear"].candidate.parameters
    for name, fitted in fit_alternatives(joined, len(lane.train), SKILL, same, parameters).items():
        results[name] = accuracy(fitted.candidate.arrays)
    stand_noise(joined, len(lane.train), same, outcomes, refits)
    results["chosen"] = accuracy(refits[SKILL].candidate.arrays)
    final = quality(refits[SKILL].noise, wrong)
    return results | {f"{name} after": value for name, value in final.items()}


def quality(noise: LabelNoise, wrong: Array) -> dict[str, float]:
    """Return the estimated level of noise, and precision and recall of the list of suspicious labels."""
    listed = wrong[noise.rows]
    return {
        "level": noise.level.value,
        "precision": float(listed.mean()) if len(listed) else np.nan,
        "recall": float(listed.sum() / wrong.sum()) if wrong.any() else np.nan,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=3, choices=range(1, FOLDS + 1))
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    data = Path(os.environ.get("COACHWORKS_DATA", "shared/data"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        features, answers, sets = real_photos(folder, data)
    listing = ("level", "precision", "recall")
    columns = ("share", "nothing", GENERALISED, FORWARD, "chosen", *listing, *(f"{name} after" for name in listing))
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    print(f"{len(answers)} photos, {arguments.folds} folds; losses are tried above a level of {LEAST:.0%}")
    for fold in range(arguments.folds):
        measured = fold_of_photos(answers, sets) == fold
        reduction = fit_reduction(features[~measured], COMPONENTS)
        points = reduction(features)
        for name, spoil in NOISES.items():
            lane, wrong = noisy_lane(points[~measured], answers[~measured], sets[~measured], spoil, fold)
            results[name].append(measure(lane, wrong, points[measured], answers[measured]))
            row = results[name][-1]
            print(
                f"fold {fold}  {name:<28}" + "  ".join(f"{column} {row[column]:.3f}" for column in columns), flush=True
            )
    print("\n| noise | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, rows in results.items():
        cells = []
        for column in columns:
            values = np.array([row[column] for row in rows])
            cells.append("–" if np.isnan(values).all() else f"{values.mean():.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
