"""A fleet of 35 skills against a fleet of one on the same photos, each in a store of its own, side by side.

python benchmarks/fleet_of_35.py [--photos 2000]
"""

import argparse
import tempfile
from pathlib import Path

from fleets import draw, timed_run, write_fleet

STEPS = ("ingest", "split", "validate", "augment", "embed", "train", "evaluate", "register", "package", "document")


def main() -> None:
    """Draw, run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.photos)
        runs = {skills: timed_run(write_fleet(folder, f"fleet-{skills:02}", skills)) for skills in (1, 35)}
    until = STEPS.index("register") + 1
    print(f"{arguments.photos} photos, one augmented view; seconds\n")
    print(f"{'step':<12}{'1 skill':>10}{'35 skills':>11}{'ratio':>8}")
    for step in STEPS:
        one, many = runs[1].steps.get(step, 0.0), runs[35].steps.get(step, 0.0)
        print(f"{step:<12}{one:>10.1f}{many:>11.1f}{many / max(one, 0.01):>8.2f}")
    registered = [sum(runs[n].steps.get(step, 0.0) for step in STEPS[:until]) for n in (1, 35)]
    print(f"{'registered':<12}{registered[0]:>10.1f}{registered[1]:>11.1f}{registered[1] / registered[0]:>8.2f}")
    print(
        f"{'whole run':<12}{runs[1].seconds:>10.1f}{runs[35].seconds:>11.1f}{runs[35].seconds / runs[1].seconds:>8.2f}"
    )
    print(f"\nskills registered: {sum(row['version'] is not None for row in runs[35].table['skills'])} of 35")


if __name__ == "__main__":
    main()
