"""CPU time of `coachworks check` on the largest fleet files and tables: `python benchmarks/check.py`."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests" / "support"))


def main() -> None:
    """Print a row per file: size of the file and of its table, seconds of CPU, exit status, bytes of output."""
    from large_fleets import large_fleets, write_fleet

    print(f"{'file':<32} {'kB':>8} {'table kB':>9} {'CPU s':>6} {'status':>6} {'output kB':>9}")
    for name, (text, table) in large_fleets().items():
        with tempfile.TemporaryDirectory() as folder:
            file = write_fleet(Path(folder) / "fleet", text, table)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "coachworks.cli.main", "check"]
            done = subprocess.run(command, cwd=file.parent, capture_output=True, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        sizes = f"{len(text) / 1e3:>8.0f} {len(table) / 1e3:>9.0f}"
        print(f"{name:<32} {sizes} {seconds:>6.1f} {done.returncode:>6} {len(done.stdout) / 1e3:>9.0f}")


if __name__ == "__main__":
    main()
