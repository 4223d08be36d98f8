"""Duration of `coachworks --help` as a whole process, beside the start of Python itself.

python benchmarks/startup.py [--runs 15]
"""

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "coachworks --help": [sys.executable, "-m", "coachworks.cli.main", "--help"],
    "coachworks run --help": [sys.executable, "-m", "coachworks.cli.main", "run", "--help"],
    "coachworks embed --help": [sys.executable, "-m", "coachworks.cli.main", "embed", "--help"],
}


def main() -> None:
    """Time the commands in turn, print minimum, median and maximum in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {title: [] for title in COMMANDS}
    for _ in range(arguments.runs + 1):
        for title, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            times[title].append((time.perf_counter() - started) * 1000)
    print(f"{'milliseconds':<26}{'min':>8}{'median':>8}{'max':>8}")
    for title, values in times.items():
        counted = values[1:]  # the first run warms the page cache
        print(f"{title:<26}{min(counted):>8.0f}{statistics.median(counted):>8.0f}{max(counted):>8.0f}")


if __name__ == "__main__":
    main()
