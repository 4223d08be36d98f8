"""Policies against imbalance beside doing nothing, on real photos of which one label is rare on purpose.

    python benchmarks/training/imbalance.py PHOTOS STORE [--draws N] [--groups GROUPS] [--components N]

PHOTOS is a folder with a sub-folder of photos per label, such as trashnet; STORE keeps their features for next time.
Photos of the test split are never used. Each draw takes some photos of the other two splits to train on, so that labels
are uneven, and measures on all the rest of them. Every policy sees the same draws, so differences to doing nothing are
paired; their standard errors are over draws. In each draw, a fifth of the photos to train on validates, as in a run,
and then the heads are fitted again on all of them.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.context import open_context
from coachworks.fleet.reader import read_fleet
from coachworks.progress import SILENT
from coachworks.results import ancestor
from coachworks.scores import tally
from components.augment.step import augment
from components.embed.step import embed
from components.embed.stored_features import read_features
from components.ingest.step import ingest
from components.split.step import split
from components.train.competition import Entry, compete, fitter
from components.train.config import TrainConfig
from components.train.imbalance import AUTO, NONE, POLICIES, weighing
from components.train.lane import Lane
from components.train.policy_choice import choose_policies
from components.train.reduction import Reduction, fit_reduction
from components.train.selection import pick
from components.validate.admitted import admitted
from components.validate.report import ValidateReport
from components.validate.step import validate

Array = NDArray[Any]

OTHERS = ("naive-bayes", "knn", "svm")
RATIO = 100
SETTINGS = (NONE, *(policy for policy in POLICIES if policy != NONE), AUTO)


@dataclass(frozen=True)
class _Photos:
    """Features (N, D), label indices (N,) and sets (N,) of the photos of train and validation, and the labels."""

    features: Array
    answers: Array
    sets: Array
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _Draw:
    """Rows to train on and rows to measure on, and the answers of all photos to a skill of so many labels."""

    trained: Array
    tested: Array
    answers: Array
    labels: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--groups", default="last,blocks-mean,blocks-std", help="feature groups that the heads read")
    parser.add_argument("--components", type=int, default=TrainConfig().components, help="axes of the features")
    options = parser.parse_args()
    photos = _read(options.photos.resolve(), options.store.resolve(), options.groups.split(","))
    print(f"{len(photos.answers)} photos of train and validation, {', '.join(photos.labels)}; {options.draws} draws")
    for title, drawn in (
        (f"One label of two is rare, 1:{RATIO}", _one_rare),
        (f"Long tail over all labels, 1:{RATIO}", _long_tail),
        ("As the photos are", _as_they_are),
    ):
        _print(title, [_measure(photos, draw, options.components) for draw in _draws(photos, drawn, options.draws)])


def _read(folder: Path, store: Path, groups: list[str]) -> _Photos:
    """Compute the features by the steps themselves; those in the store are read."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    store.mkdir(parents=True, exist_ok=True)
    table, file = store / "labels.csv", store / "fleet.yaml"
    rows = [f"{path.relative_to(folder)},{name}" for name in names for path in sorted((folder / name).iterdir())]
    table.write_text("\n".join(["filename,label", *rows]), "utf-8")
    file.write_text(
        "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {name: imbalance}\nspec:\n  store: ./store\n"
        f"  sources: [{{photos: {folder}, table: {table}, permission: a benchmark}}]\n  augment: {{views: 0}}\n"
        f"  skills: {{label: {{labels: [{', '.join(names)}]}}}}\n",
        "utf-8",
    )
    fleet = read_fleet(file)
    embedded = embed(fleet, augment(fleet, validate(fleet, split(fleet, ingest(fleet).key).key).key).key)
    labels = admitted(open_context(fleet).store, ancestor(embedded.store, embedded, ValidateReport), fleet)
    labels = labels[labels["split"] != "test"].sort_values("photo_id")
    photo_ids = labels["photo_id"].tolist()
    read = [read_features(fleet, embedded, photo_ids, 0, groups=(group,), progress=SILENT) for group in groups]
    return _Photos(
        np.concatenate(read, axis=1),
        labels["label"].map(names.index).to_numpy(),
        np.unique(labels["set_id"], return_inverse=True)[1],
        tuple(names),
    )


def _draws(photos: _Photos, drawn: Callable[..., _Draw], count: int) -> Iterator[_Draw]:
    for number in range(count):
        yield drawn(photos, number, np.random.default_rng(number))


def _one_rare(photos: _Photos, number: int, random: np.random.Generator) -> _Draw:
    """One label, another in each draw, against all others: 70 % of these, and a hundredth as many of the one."""
    answers = (photos.answers == number % len(photos.labels)).astype(np.int64)
    common, rare = (random.permutation(np.flatnonzero(answers == label)) for label in (0, 1))
    count = len(common) * 7 // 10
    fewest = round(count / RATIO)
    return _Draw(
        np.concatenate([common[:count], rare[:fewest]]), np.concatenate([common[count:], rare[fewest:]]), answers, 2
    )


def _long_tail(photos: _Photos, number: int, random: np.random.Generator) -> _Draw:
    """Numbers of photos that fall geometrically from label to label, in random order (Cao et al., arXiv 1906.07413)."""
    count, trained, tested = len(photos.labels), [], []
    for rank, label in enumerate(random.permutation(count)):
        rows = random.permutation(np.flatnonzero(photos.answers == label))
        size = min(max(2, round(3 * RATIO * RATIO ** (-rank / (count - 1)))), len(rows) * 7 // 10)
        trained.append(rows[:size])
        tested.append(rows[size:])
    return _Draw(np.concatenate(trained), np.concatenate(tested), photos.answers, count)


def _as_they_are(photos: _Photos, number: int, random: np.random.Generator) -> _Draw:
    """Four fifths of all photos."""
    rows = random.permutation(len(photos.answers))
    cut = len(rows) * 4 // 5
    return _Draw(rows[:cut], rows[cut:], photos.answers, len(photos.labels))


def _measure(photos: _Photos, draw: _Draw, components: int) -> dict[str, dict[str, Any]]:
    """Measure every setting: balanced accuracy of the linear head and of the winner, and the policy."""
    lane, reduction = _lane(photos, draw, components)
    tested, answers = reduction(photos.features[draw.tested]), draw.answers[draw.tested]
    others: dict[str, Mapping[str, Entry]] = {}  # the other kinds, which only weigh photos, by how they weigh them
    results: dict[str, dict[str, Any]] = {}
    for setting in POLICIES:
        config, own = TrainConfig(class_weights=setting), replace(lane, policies={"skill": setting})
        weights = weighing("svm", setting)
        if weights not in others:
            others[weights] = compete(own, reduction, {"skill": OTHERS}, config)["skill"].entries
        entries = {**compete(own, reduction, {"skill": ["linear"]}, config)["skill"].entries, **others[weights]}
        winner, _ = pick({kind: entry.score for kind, entry in entries.items()})
        accuracy = {}
        for kind in {"linear", winner}:
            again = _answering(own.joined(), tested)
            logits = fitter(kind)(again, reduction, config, {"skill": entries[kind].candidate.parameters})
            predicted = logits["skill"].logits.argmax(1)
            accuracy[kind] = float(tally(answers, predicted, draw.labels).balanced_accuracy)
        results[setting] = {"linear": accuracy["linear"], "winner": accuracy[winner]}
    chosen = choose_policies(lane.joined(), TrainConfig())["skill"].policy
    results[AUTO] = results[chosen] | {"policy": chosen}
    print(".", end="", file=sys.stderr, flush=True)
    return results


def _lane(photos: _Photos, draw: _Draw, components: int) -> tuple[Lane, Reduction]:
    """The photos to train on; of each label, every fifth validates."""
    rows = np.sort(draw.trained)
    rank = np.zeros(len(rows), np.int64)
    for label in range(draw.labels):
        own = draw.answers[rows] == label
        rank[own] = np.arange(own.sum())
    trained, validated = rows[rank % 5 != 1], rows[rank % 5 == 1]
    reduction = fit_reduction(photos.features[trained], components)
    return Lane(
        labels={"skill": tuple(map(str, range(draw.labels)))},
        train=reduction(photos.features[trained]),
        views=(),
        answers=draw.answers[trained, None],
        train_sets=photos.sets[trained],
        validation=reduction(photos.features[validated]),
        validation_answers=draw.answers[validated, None],
        validation_sets=photos.sets[validated],
    ), reduction


def _answering(lane: Lane, points: Array) -> Lane:
    """Return a lane that answers `points`; with chosen settings, the labels of validation photos do not count."""
    return replace(
        lane,
        validation=points,
        validation_answers=np.zeros((len(points), 1), np.int64),
        validation_sets=np.arange(len(points)),
    )


def _print(title: str, results: list[dict[str, dict[str, Any]]]) -> None:
    print(f"\n{title}\n")
    print("| policy | linear | against none | winner of four candidates | against none |")
    print("|---|---|---|---|---|")
    for setting in SETTINGS:
        cells = []
        for what in ("linear", "winner"):
            own, none = (np.array([result[name][what] for result in results]) for name in (setting, NONE))
            error = np.std(own - none, ddof=1) / np.sqrt(len(own))
            difference = "" if setting == NONE else f"{np.mean(own - none):+.3f} ± {error:.3f}"
            cells += [f"{own.mean():.3f}", difference]
        print(f"| `{setting}` | {' | '.join(cells)} |")
    chosen: Mapping[str, int] = Counter(result[AUTO]["policy"] for result in results)
    print(f"\n`auto` chose {', '.join(f'{policy} {count} times' for policy, count in chosen.items())}", flush=True)


if __name__ == "__main__":
    main()
