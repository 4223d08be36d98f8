"""The pipeline in KFP's intermediate representation, as clusters receive it and golden files hold it."""

import tempfile
from pathlib import Path
from typing import Any

from coachworks.digests import digest_json
from coachworks.fleet.model import AUTO_BACKBONE, Fleet


def compile_pipeline(target: Path, fleet: Fleet | None = None, *, cached: bool = True) -> None:
    """Compile the pipeline to the YAML file `target`.

    Args:
        target: The file.
        fleet: The fleet whose `spec.cluster` configures the pods; None: the pipeline for this machine.
        cached: Whether KFP may reuse outputs for the same parameters; it never does for ingest, register, deploy,
            and embed with `backbone: auto`.
    """
    from kfp import compiler

    from components import container_images
    from pipelines.fleet import compose
    from pipelines.pod_spec import placement, run_config

    if fleet is None:
        pipeline = compose()
    else:
        cluster = fleet.spec.cluster
        place = placement(cluster, cluster.image or container_images.STEPS, cached=cached)
        config = run_config(cluster)
        deploys, chooses = fleet.spec.deploy.automatic, fleet.spec.backbone == AUTO_BACKBONE
        pipeline = compose(place, pipeline_name(fleet), deploys=deploys, chooses=chooses, config=config)
    compiler.Compiler().compile(pipeline, str(target))


def pipeline_name(fleet: Fleet) -> str:
    """Return the name of a fleet's pipeline in Kubeflow Pipelines."""
    return f"coachworks-{fleet.name}"


def compiled_documents(fleet: Fleet | None = None) -> list[dict[str, Any]]:
    """Compile and parse the pipeline: its specification and, for a cluster, that of the platform."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pipeline.yaml"
        compile_pipeline(target, fleet)
        return read_documents(target)


def read_documents(file: Path) -> list[dict[str, Any]]:
    """Read the YAML documents of a compiled pipeline."""
    from ruamel.yaml import YAML

    return list(YAML(typ="safe").load_all(file.read_text("utf-8")))


def version_name(file: Path) -> str:
    """Return the name of a compiled pipeline's version: a digest of its content, 12 hexadecimal digits.

    It is not a digest of the file's bytes, because KFP writes a comment whose order changes.
    """
    return digest_json(read_documents(file))[:12]
