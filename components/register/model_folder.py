"""Folder of a model version in MLflow's model format, written without pickle."""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coachworks import __version__
from coachworks.feature_groups import total
from coachworks.store import record_bytes
from coachworks.yaml_text import yaml_text
from components.register.head_store import manifest
from components.register.lineage import SkillRecord

FOLDER = "model"  # among a run's artifacts
HEAD_FILE, MANIFEST_FILE = "head.safetensors", "manifest.json"


def write_model_folder(record: SkillRecord, run_id: str, folder: Path) -> None:
    """Write the model folder of a skill's winner.

    MLflow's own writer would import the model and infer its requirements, which takes seconds per skill. The format is
    one small YAML document.

    Args:
        record: The skill.
        run_id: The run that the model belongs to.
        folder: An empty folder.
    """
    numbers = total(record.backbone.group_sizes, record.trained.winner_groups)
    features = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, numbers]}}
    document = {
        **_identity(record),
        "signature": {"inputs": json.dumps([features]), "outputs": json.dumps(_columns(record)), "params": None},
        "run_id": run_id,
    }
    (folder / "MLmodel").write_text(yaml_text(document), "utf-8")
    (folder / "requirements.txt").write_text(f"coachworks=={__version__}\n", "utf-8")
    (folder / MANIFEST_FILE).write_bytes(record_bytes(manifest(record)))
    shutil.copyfile(record.head_file, folder / HEAD_FILE)


def logged_models(record: SkillRecord, location: str) -> str:
    """Return the tag by which MLflow's UI knows that a run has a model, and looks for its registered version.

    Args:
        record: The skill.
        location: Location of the experiment's artifacts.
    """
    # The UI takes what follows the first `/artifacts/` of a version's source for the model's path. Where the location
    # has such a folder itself, as in an embedded store, it would list the model a second time, and hide the version.
    listed = "" if "/artifacts/" in f"{location}/" else FOLDER
    return json.dumps([{"artifact_path": listed, **_identity(record)}])


def _identity(record: SkillRecord) -> dict[str, Any]:
    """Fields that MLflow keeps both in the model folder and among the run's tags."""
    created = datetime.fromtimestamp(record.evaluated_at_ms / 1000, UTC)
    return {
        "flavors": {
            "python_function": {
                "loader_module": "components.register.pyfunc_loader",
                "data": HEAD_FILE,
                "python_version": ".".join(str(part) for part in sys.version_info[:3]),
            }
        },
        "model_uuid": record.head_digest[:32],
        "utc_time_created": created.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }


def _columns(record: SkillRecord) -> list[dict[str, str]]:
    numbers = ["confidence", *(f"probability/{label}" for label in record.evaluated.labels)]
    columns = {"label": "string", **dict.fromkeys(numbers, "float")}
    return [{"name": name, "type": kind} for name, kind in columns.items()]
