"""Accuracy on real photos with default settings: what is chosen in folds, and the one look at the test split.

    COACHWORKS_DATA=… python benchmarks/training/accuracy.py [--set trashnet] [--set grocery] [--folder FOLDER]

For every skill it prints each set of feature groups with its balanced accuracy in folds of the training and validation
photos, from the last average alone to all groups; the set and the candidate that were chosen there; and the balanced
accuracy of that choice, and of no other, on the test split. With --folder the stores are kept, and a second call looks
up what the first one measured.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.training.real_photos import SETS, run, write_fleet
from coachworks.results import latest, load
from coachworks.store import open_store
from components.evaluate.report import EvaluateReport
from components.train.report import TrainReport

_AIMS = {"material": 0.91, "coarse": 0.75, "fine": 0.69}
_LAST_AVERAGE = {"material": 0.872, "coarse": 0.721, "fine": 0.668}  # before feature groups, the same photos and split


def print_skill(name: str, trained: TrainReport, evaluated: EvaluateReport) -> None:
    """Print how one skill was chosen, and its test."""
    record, tested = trained.skills[name], evaluated.skills[name]
    print(f"\n{name}: {len(record.labels)} labels, {record.photos['train']} training, "
          f"{record.photos['validation']} validation and {record.photos['test']} test photos")  # fmt: skip
    for trial in record.feature_trials:
        mark = "<- chosen" if tuple(trial.groups) == tuple(record.feature_groups) else ""
        groups, accuracy = " + ".join(trial.groups), trial.balanced_accuracy
        print(f"  folds       {groups:<48}{accuracy:>7.3f} ± {trial.standard_error:.3f} {mark}")
    for kind, candidate in record.candidates.items():
        mark = "<- chosen" if kind == record.winner else ""
        accuracy = candidate.validation_balanced_accuracy
        print(f"  validation  {kind:<48}{accuracy:>7.3f} ± {candidate.standard_error:.3f} {mark}")
    measured = tested.balanced_accuracy
    reached = "reached" if measured.value >= _AIMS[name] else "MISSED"
    print(
        f"  test   {measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]; the last average alone was "
        f"{_LAST_AVERAGE[name]:.3f}; aim {_AIMS[name]:.2f} {reached}"
    )


def main() -> None:
    """Run every data set and print its skills."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, action="append", dest="sets")
    parser.add_argument("--folder", type=Path, help="where fleets and stores are kept; else a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        for name in arguments.sets or SETS:
            fleet = write_fleet(name, folder / name)
            table, watched = run(fleet)
            store = open_store(str(fleet.parent / "store"))
            trained = load(store, TrainReport, latest(store, "train")).report
            evaluated = load(store, EvaluateReport, latest(store, "evaluate")).report
            print(f"\n# {name}: run {table['run']}, {watched.seconds:.0f} s, {watched.cpu_s:.0f} s of processor time")
            for skill in trained.skills:
                print_skill(skill, trained, evaluated)
            print("  looks at the test split: one per skill, by evaluate, after all choices")


if __name__ == "__main__":
    main()
