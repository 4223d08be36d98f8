"""The compiled pipeline is a golden file, compared as parsed YAML without what changes by itself."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_fleets import small_fleet

from coachworks.steps import CHAIN, Step, find_step
from pipelines.chain import do_step
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


def test_embed_is_not_cached_by_kubeflow_where_it_chooses_the_backbone() -> None:
    for backbone, cached in (("auto", False), ("efficientnet-lite0", True)):
        (pipeline, *_) = compiled_documents(small_fleet({"wheel": {"labels": ["left", "right"]}}, backbone=backbone))
        options = pipeline["root"]["dag"]["tasks"]["embed"].get("cachingOptions", {})
        assert bool(options.get("enableCache")) == cached


def test_no_component_installs_packages_while_it_runs() -> None:
    text = json.dumps(compiled_documents())
    assert "pip install" not in text


def test_a_run_on_this_machine_hands_on_the_keys_as_the_compiled_pipeline_does() -> None:
    (pipeline, *_) = compiled_documents()
    tasks = dict(pipeline["root"]["dag"]["tasks"])
    for component in pipeline["components"].values():
        tasks |= component.get("dag", {}).get("tasks", {})
    parameters = {step: set(tasks[step]["inputs"]["parameters"]) for step in CHAIN if step in tasks}
    done: dict[str, list[tuple[Any, ...]]] = {}

    def do(step: Step, *inputs: Any) -> str:
        done.setdefault(step.name, []).append(inputs)
        return f"{step.name} {inputs[-1][0] if step.per_lane else ''}"

    keys: list[str] = []
    for name in parameters:
        keys = do_step(find_step(name), keys, [["colour"], ["shape"]], do)
    assert done == {
        "ingest": [()],
        "split": [("ingest ",)],
        "validate": [("split ",)],
        "augment": [("validate ",)],
        "embed": [("augment ",)],
        "train": [("embed ", ["colour"]), ("embed ", ["shape"])],
        "evaluate": [("train colour", ["colour"]), ("train shape", ["shape"])],
        "register": [("evaluate colour", ["colour"]), ("evaluate shape", ["shape"])],
        "package": [(["register colour", "register shape"],)],
        "document": [("package ",)],
    }
    for step, names in parameters.items():
        assert names & {*CHAIN, "skills"} == {
            *([CHAIN[step]] if done[step] != [()] else []),
            *(["skills"] if len(done[step]) > 1 else []),
        }
