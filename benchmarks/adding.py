"""Duration of a run after 100 photos are added to 10,000, and of one without changes, beside the first run.

python benchmarks/adding.py [--photos 10000] [--added 100]
"""

import argparse
import tempfile
from pathlib import Path

from fleets import draw, timed_run, write_fleet


def main() -> None:
    """Draw, run three times, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--added", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.photos)
        full = timed_run(write_fleet(folder, "fleet", 3))
        draw(folder, arguments.added, first=arguments.photos)
        added = timed_run(write_fleet(folder, "fleet", 3))
        again = timed_run(folder / "fleet.yaml")
    runs = {"full": full, f"+{arguments.added}": added, "unchanged": again}
    print(f"{arguments.photos} photos, three skills, one augmented view; seconds\n")
    print(f"{'step':<12}" + "".join(f"{title:>11}" for title in runs))
    for step in full[1]:
        print(f"{step:<12}" + "".join(f"{run[1].get(step, 0.0):>11.1f}" for run in runs.values()))
    print(f"{'all steps':<12}" + "".join(f"{sum(run[1].values()):>11.1f}" for run in runs.values()))
    print(f"{'beyond them':<12}" + "".join(f"{run[0] - sum(run[1].values()):>11.1f}" for run in runs.values()))
    print(f"{'whole run':<12}" + "".join(f"{run[0]:>11.1f}" for run in runs.values()))


if __name__ == "__main__":
    main()
