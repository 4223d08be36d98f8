"""The compiled pipeline is a golden file, compared as parsed YAML without what changes by itself."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.compiled import compiled_documents

GOLDEN = Path(__file__).parent.parent / "golden" / "fleet-pipeline.json"


def stable(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents without the SDK's version, the code's digest and the components' source: others test those."""
    for document in documents:
        document.pop("sdkVersion", None)
        for executor in document.get("deploymentSpec", {}).get("executors", {}).values():
            executor["container"].pop("command", None)
            executor["container"].pop("args", None)
            executor["container"]["image"] = re.sub(r"-[0-9a-f]{12}$", "", executor["container"]["image"])
    return documents


def test_the_compiled_pipeline_equals_its_golden_file(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, json.dumps(stable(compiled_documents()), indent=1, sort_keys=True) + "\n")


def test_only_steps_that_look_at_the_outside_are_never_cached() -> None:
    (pipeline, *_) = compiled_documents()
    tasks = dict(pipeline["root"]["dag"]["tasks"])
    for component in pipeline["components"].values():
        tasks |= component.get("dag", {}).get("tasks", {})
    cached = {name: bool(task.get("cachingOptions", {}).get("enableCache")) for name, task in tasks.items()}
    steps = {name: on for name, on in cached.items() if not name.startswith(("for-loop", "lanes"))}
    assert {name for name, on in steps.items() if not on} == {"ingest", "register"}


def test_no_component_installs_packages_while_it_runs() -> None:
    text = json.dumps(compiled_documents())
    assert "pip install" not in text
