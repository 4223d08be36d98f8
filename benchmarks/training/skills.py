"""A fleet of 35 skills against a fleet of one on the same photos, and against 35 fine-tunings, in one run.

    python benchmarks/training/skills.py [--photos 2000] [--steps 10]

The two fleets have a store each. Of fine-tuning (`fine_tuning.py`: 12 epochs with crops and flips, in plain torch)
`--steps` are timed on the same photos, the rest of one is extrapolated, and 35 of them take 35 times as long.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from benchmarks.fleets import ATTRIBUTES, draw, timed_run, write_fleet
from benchmarks.training.fine_tuning import Example, fine_tune
from coachworks.steps import CHAIN, OPTIONAL

MANY = 35
_STEPS = [step for step in CHAIN if step not in OPTIONAL]
_COLUMN = "colour"


def drawn_examples(folder: Path) -> list[Example]:
    """Return the training and validation photos' share of all drawn photos, with their colours."""
    labels = list(ATTRIBUTES[_COLUMN])
    rows = list(csv.DictReader((folder / "photos.csv").open(encoding="utf-8")))
    learnt = rows[: len(rows) * 85 // 100]
    return [Example(folder / "photos" / row["filename"], labels.index(row[_COLUMN])) for row in learnt]


def main() -> None:
    """Draw, run both, fine-tune, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.photos)
        runs = {skills: timed_run(write_fleet(folder, f"fleet-{skills:02}", skills)) for skills in (1, MANY)}
        labels = len(ATTRIBUTES[_COLUMN])
        tuned = fine_tune("efficientnet-lite0", drawn_examples(folder), (), labels, most_steps=arguments.steps)
    one, many = runs[1], runs[MANY]
    print(f"{arguments.photos} photos, one augmented view; seconds\n")
    print(f"{'step':<16}{'1 skill':>10}{f'{MANY} skills':>11}{'ratio':>8}")
    rows = {step: (one.steps.get(step, 0.0), many.steps.get(step, 0.0)) for step in _STEPS}
    rows["whole run"] = (one.seconds, many.seconds)
    rows["processor time"] = (one.cpu_s, many.cpu_s)
    for title, (first, second) in rows.items():
        print(f"{title:<16}{first:>10.1f}{second:>11.1f}{second / max(first, 0.01):>8.2f}")
    registered = sum(row["version"] is not None for row in many.table["skills"])
    per_skill = many.cpu_s / MANY
    print(f"\nskills registered: {registered} of {MANY}")
    print(f"{MANY} skills for {many.cpu_s / one.cpu_s:.2f} times the processor time of one, aim 1.30")
    print(f"fine-tuning one skill: {tuned.seconds:.0f} s, from {tuned.measured} of {tuned.steps} steps")
    print(f"a skill of {MANY}: {per_skill:.1f} s, {tuned.seconds / per_skill:.0f} times as fast, aim 150")


if __name__ == "__main__":
    main()
