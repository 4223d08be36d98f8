"""Time and memory that a source's table takes in ingest: reading, matching with photos, tables; photos are not decoded.

python benchmarks/rows.py [--rows 2000000] [--photos 100000] [--case missing]

`repeated`: the rows name each photo many times and agree. `missing`: each photo once, all other rows name no file. Each
case is measured in a process of its own, whose photos are empty files with made-up facts.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CASES = ("repeated", "missing")
_FLEET = {
    "apiVersion": "coachworks.dev/v1",
    "kind": "Fleet",
    "metadata": {"name": "rows"},
    "spec": {
        "sources": [{"photos": "photos", "table": "photos.csv"}],
        "skills": {"animal": {"labels": ["cat", "dog"]}, "quality": {"labels": ["good", "bad"]}},
    },
}


def write_source(folder: Path, rows: int, photos: int, case: str) -> None:
    """Write the empty photos and the table."""
    for index in range(photos):
        path = folder / f"photos/{index // 1000:04}/{index:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with (folder / "photos.csv").open("w", encoding="utf-8") as table:
        table.write("filename,set_id,source,taken_at,animal,quality,make\n")
        for index in range(rows):
            number = index % photos if case == "repeated" else index
            animal, quality = ("cat", "dog")[number % 2], ("good", "bad", "")[number % 3]
            table.write(
                f"{number // 1000:04}/{number:07}.jpg,car-{number // 10},dealer,2024-05-{number % 28 + 1:02} 12:30,"
                f"{animal},{quality},Saab\n"
            )


def ingest_rows(folder: Path) -> dict[str, Any]:
    """Read, match and write; return the numbers of photos and rejections."""
    from coachworks.fleet.model import Fleet
    from components.ingest.build_tables import Gathering
    from components.ingest.photo_index import Facts
    from components.ingest.source_files import read_source

    fleet = Fleet.model_validate(_FLEET).located(folder)
    gathering, arrived = Gathering(fleet), datetime.now(UTC).replace(tzinfo=None)
    files = read_source(fleet.spec.sources[0], fleet, str(folder / "store"))
    gathering.rejections += files.rejections
    for item in files.items:
        photo_id = hashlib.sha256(item.file.name.encode()).hexdigest()
        facts = Facts(photo_id, f"photos/{photo_id}.jpg", 640, 480, "JPEG", None, 100.0, 0.5, 0.2, "0" * 16)
        gathering.add(item, facts)
    gathering.digest()
    labels = gathering.write(folder, SimpleNamespace(arrived_at=lambda _: arrived))  # type: ignore[arg-type]
    report = gathering.report(labels, frozenset())
    return {"photos": report.photos, "rejected": sum(report.rejected.values())}


def measure(rows: int, photos: int, case: str) -> dict[str, Any]:
    """Measure one case in a process of its own: seconds of CPU and wall-clock time, peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        write_source(Path(folder), rows, photos, case)
        command = [sys.executable, __file__, "--folder", folder]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return {"case": case, "rows": rows, **json.loads(done.stdout)}


def main() -> None:
    """Measure the cases and print a line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--folder", type=Path, help="measure the source in this folder, in this process")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        begun = time.monotonic()
        counts = ingest_rows(arguments.folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = {"cpu_s": round(used.ru_utime + used.ru_stime, 1), "wall_s": round(time.monotonic() - begun, 1)}
        print(json.dumps({**counts, **seconds, "peak_mib": used.ru_maxrss // 1024}))
        return
    for case in arguments.case or CASES:
        print(json.dumps(measure(arguments.rows, arguments.photos, case)), flush=True)


if __name__ == "__main__":
    main()
