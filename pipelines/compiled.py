"""The pipeline as Kubeflow's intermediate representation: what a cluster is given, and what the golden files hold."""

import tempfile
from pathlib import Path
from typing import Any

from coachworks.digests import digest_json
from coachworks.fleet.model import Fleet


def compile_pipeline(target: Path, fleet: Fleet | None = None, *, cached: bool = True) -> None:
    """Compile the pipeline to the YAML file `target`.

    Args:
        target: The file.
        fleet: The fleet whose `spec.cluster` says how pods are made; None: as it runs on this machine.
        cached: Whether KFP may reuse what steps gave for the same parameters; never so for ingest and register.
    """
    from kfp import compiler

    from components import container_images
    from pipelines.fleet import compose
    from pipelines.pod_spec import placement

    if fleet is None:
        pipeline = compose()
    else:
        cluster = fleet.spec.cluster
        place = placement(cluster, cluster.image or container_images.STEPS, cached=cached)
        pipeline = compose(place, pipeline_name(fleet), deploys=fleet.spec.deploy.automatic)
    compiler.Compiler().compile(pipeline, str(target))


def pipeline_name(fleet: Fleet) -> str:
    """Name of a fleet's pipeline in Kubeflow Pipelines."""
    return f"coachworks-{fleet.name}"


def compiled_documents(fleet: Fleet | None = None) -> list[dict[str, Any]]:
    """The compiled pipeline, parsed: the pipeline's specification and, where there is one, the platform's."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pipeline.yaml"
        compile_pipeline(target, fleet)
        return read_documents(target)


def read_documents(file: Path) -> list[dict[str, Any]]:
    """The documents of a compiled pipeline."""
    from ruamel.yaml import YAML

    return list(YAML(typ="safe").load_all(file.read_text("utf-8")))


def version_name(file: Path) -> str:
    """Name of a compiled pipeline's version: a digest of what it says, 12 hexadecimal digits.

    The file's own bytes will not do: KFP writes a comment in an order that changes.
    """
    return digest_json(read_documents(file))[:12]
