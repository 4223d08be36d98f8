"""Fleets over the real photos in the folder that COACHWORKS_DATA names, for the benchmarks."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.training.processes import Watched, watch

_COMMAND = (sys.executable, "-m", "coachworks.cli.main")
SETS = ("trashnet", "grocery")


def data_folder() -> Path:
    """Return the folder with `trashnet/` and `grocery/`.

    Raises:
        SystemExit: COACHWORKS_DATA does not name it.
    """
    folder = Path(os.environ.get("COACHWORKS_DATA", "."))
    missing = [name for name in SETS if not (folder / name / "labels.csv").is_file()]
    if missing:
        raise SystemExit(f"COACHWORKS_DATA must name a folder with {' and '.join(SETS)}; {missing[0]} is not there")
    return folder.resolve()


def write_fleet(name: str, folder: Path) -> Path:
    """Write the fleet file of a data set with default settings, and its store beside it, into `folder`.

    Trashnet's is what `coachworks init` writes; grocery has two skills and its official split.
    """
    photos = data_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "fleet.yaml"
    if path.exists():
        return path
    if name == "trashnet":
        subprocess.run([*_COMMAND, "init", str(photos)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return path
    rows = list(csv.DictReader((photos / "labels.csv").open(encoding="utf-8")))
    source = {"photos": str(photos), "table": str(photos / "labels.csv"), "permission": "MIT"}
    skills = {skill: {"labels": sorted({row[skill] for row in rows})} for skill in ("coarse", "fine")}
    document = {
        "apiVersion": "coachworks.dev/v1",
        "kind": "Fleet",
        "metadata": {"name": name},
        "spec": {"store": "./store", "sources": [source], "skills": skills},
    }
    path.write_text(json.dumps(document, indent=1), "utf-8")
    return path


def run(fleet: Path, *arguments: str) -> tuple[dict[str, Any], Watched]:
    """Run the pipeline with its command; return the table that it printed, and its cost.

    Raises:
        SystemExit: a step failed. A skill that misses a gate is no failure here.
    """
    watched = watch([*_COMMAND, "run", "--json", "-f", str(fleet), *arguments], accepted=(0, 1))
    table = json.loads(watched.output)
    if table["errors"]:
        raise SystemExit(f"the run failed: {table['errors']}")
    return table, watched
