"""The pipeline as Kubeflow's intermediate representation: what a cluster is given, and what the golden file holds."""

import tempfile
from pathlib import Path
from typing import Any


def compile_pipeline(target: Path) -> None:
    """Compile the pipeline to the YAML file `target`."""
    from kfp import compiler

    from pipelines.fleet import fleet_pipeline

    compiler.Compiler().compile(fleet_pipeline, str(target))


def compiled_documents() -> list[dict[str, Any]]:
    """The compiled pipeline, parsed: the pipeline's specification and, where there is one, the platform's."""
    from ruamel.yaml import YAML

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pipeline.yaml"
        compile_pipeline(target)
        return list(YAML(typ="safe").load_all(target.read_text("utf-8")))
