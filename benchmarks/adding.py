"""Cost of a run after few photos are added, few labels are changed, or nothing, beside that of the first run.

python benchmarks/adding.py [--photos 10000] [--changed 100]

The four runs follow one another on one store. On a busy machine, compare processor time.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from benchmarks.fleets import ATTRIBUTES, draw, timed_run, write_fleet

_COLUMN = "colour"  # the attribute of the first skill


def relabel(folder: Path, count: int) -> None:
    """Give the first `count` photos the next colour in the table."""
    colours = list(ATTRIBUTES[_COLUMN])
    rows = list(csv.DictReader((folder / "photos.csv").open(encoding="utf-8")))
    for row in rows[:count]:
        row[_COLUMN] = colours[(colours.index(row[_COLUMN]) + 1) % len(colours)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Draw, run four times, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=100, help="photos that are added, then labels that are changed")
    arguments = parser.parse_args()
    changed = arguments.changed
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.photos)
        runs = {"full": timed_run(write_fleet(folder, "fleet", 3))}
        draw(folder, changed, first=arguments.photos)
        runs[f"+{changed}"] = timed_run(write_fleet(folder, "fleet", 3))
        relabel(folder, changed)
        runs[f"{changed} labels"] = timed_run(write_fleet(folder, "fleet", 3))
        runs["unchanged"] = timed_run(folder / "fleet.yaml")
    print(f"{arguments.photos} photos, three skills, one augmented view; seconds\n")
    print(f"{'step':<15}" + "".join(f"{title:>12}" for title in runs))
    for step in runs["full"].steps:
        print(f"{step:<15}" + "".join(f"{run.steps.get(step, 0.0):>12.1f}" for run in runs.values()))
    print(f"{'whole run':<15}" + "".join(f"{run.seconds:>12.1f}" for run in runs.values()))
    print(f"{'processor time':<15}" + "".join(f"{run.cpu_s:>12.1f}" for run in runs.values()))
    print(f"{'of the full run':<15}" + "".join(f"{run.cpu_s / runs['full'].cpu_s:>12.1%}" for run in runs.values()))


if __name__ == "__main__":
    main()
