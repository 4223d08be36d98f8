"""One skill from photos to a registered model, beside a fair fine-tuning of the same backbone on the same split.

    COACHWORKS_DATA=… python benchmarks/training/speed.py [--steps 20] [--whole] [--folder FOLDER]

The skill is trashnet's, with default settings: ingest, checks, augmented views, features, candidates, refit, test,
registration, package and documents are all in its time. Fine-tuning is 12 epochs of AdamW under a one-cycle schedule
with crops and flips, in plain torch (`fine_tuning.py`), on the training and validation photos; `--steps` of it are
timed and the rest is extrapolated. Only `--whole` does all of it and compares the accuracy on the test split, which
takes an hour or two of processor time.
"""

import argparse
import tempfile
from pathlib import Path

from sklearn.metrics import balanced_accuracy_score

from benchmarks.training.fine_tuning import EPOCHS, Example, FineTuned, fine_tune
from benchmarks.training.real_photos import run, write_fleet
from coachworks.fleet.reader import read_fleet
from coachworks.results import latest, load
from coachworks.store import open_store
from coachworks.tables import read_table
from components.evaluate.report import EvaluateReport


def examples(fleet: Path, skill: str) -> tuple[list[Example], list[Example]]:
    """Return the photos of the split that the pipeline made: training and validation together, and test."""
    read = read_fleet(fleet)
    store = open_store(read.spec.store)
    labels = read_table(load(store, "split", latest(store, "split")).path / "labels.parquet")
    catalogue = read_table(load(store, "ingest", latest(store, "ingest")).path / "catalogue.parquet")
    folder = Path(str(read.spec.sources[0].photos))
    file_of = {row.photo_id: folder / row.filename for row in catalogue.itertuples()}
    index = {label: number for number, label in enumerate(read.skill(skill).labels)}
    own = labels[(labels["skill"] == skill) & labels["label"].isin(index)]
    rows = [(Example(file_of[row.photo_id], index[row.label]), row.split) for row in own.itertuples()]
    return [one for one, split in rows if split != "test"], [one for one, split in rows if split == "test"]


def print_cost(tuned: FineTuned, cpu_s: float) -> None:
    """Print both times and their ratio."""
    print(f"{'':<34}{'processor time':>15}")
    print(f"{'photos to registered model':<34}{cpu_s:>13.0f} s")
    kind = "" if tuned.answers is not None else f", from {tuned.measured} of {tuned.steps} steps"
    print(f"{f'fine-tuning, {EPOCHS} epochs':<34}{tuned.seconds:>13.0f} s{kind}")
    print(f"\n{tuned.seconds / cpu_s:.1f} times as fast, aim 10")


def main() -> None:
    """Run, fine-tune, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--folder", type=Path, help="a new folder where fleet and store are kept; else a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        fleet = write_fleet("trashnet", (arguments.folder or Path(temporary)).resolve())
        _, watched = run(fleet)
        read = read_fleet(fleet)
        (skill,) = read.spec.skills
        train, test = examples(fleet, skill)
        labels = read.skill(skill).labels
        tuned = fine_tune(
            read.spec.backbone, train, test, len(labels), most_steps=None if arguments.whole else arguments.steps
        )
        print_cost(tuned, watched.cpu_s)
        store = open_store(read.spec.store)
        own = load(store, EvaluateReport, latest(store, "evaluate")).report.skills[skill].balanced_accuracy
        print(f"balanced accuracy on {len(test)} test photos: {own.value:.3f} [{own.low:.3f}, {own.high:.3f}]", end="")
        if tuned.answers is None:
            print("; that of fine-tuning is not known without --whole")
        else:
            print(f", fine-tuning {balanced_accuracy_score([one.label for one in test], tuned.answers):.3f}")


if __name__ == "__main__":
    main()
