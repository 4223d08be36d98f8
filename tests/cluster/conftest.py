"""The cluster that tests marked `cluster` run on, the images in it, and a namespace for each part."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow_release import MlflowRelease

from components import images
from lab import PIPELINES, Lab, running_lab

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The cluster with Kubeflow Pipelines; stopped afterwards if it was started here."""
    with running_lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def session_name() -> str:
    """A name of this session's own, for whatever must not meet that of another."""
    return f"cw-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def image(lab: Lab) -> Callable[[str], str]:
    """Build a target of the Dockerfile and load it into the cluster, once; its name."""
    built: set[str] = set()

    def build(target: str) -> str:
        name = images.tag(target)
        if target not in built:
            environ = lab.client | {"COACHWORKS_LAB": str(lab.scripts)}
            subprocess.run(
                [REPOSITORY / "tests/support/lab-image", name, target], env=environ, check=True, timeout=1200
            )
            built.add(target)
        return name

    return build


@pytest.fixture(scope="session")
def platform(lab: Lab, session_name: str, image: Callable[[str], str]) -> Iterator[MlflowRelease]:
    """MLflow for the pipelines' runs; the Secret `SESSION-mlflow` in their namespace tells of it."""
    made = MlflowRelease(lab, f"{session_name}-tracking", image("platform"))
    made.make_namespace()
    try:
        made.upgrade(f"pipelines.namespace={PIPELINES}", f"pipelines.secretName={session_name}-mlflow")
        yield made
    finally:
        made.remove()
        lab.kubectl("-n", PIPELINES, "delete", "secret", f"{session_name}-mlflow", "--ignore-not-found")
