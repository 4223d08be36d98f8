"""The commands of the guide's pages on Kubernetes, from nothing to a run in the dashboard and to a deployed fleet."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlflow_release import MlflowRelease
from PIL import Image

from cluster_fleet import bucket_client, forget_pipeline
from lab import PIPELINES, Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
SKILL = "content"  # what `coachworks init` calls what sub-folders tell


BLOCK = re.compile(r'^```(?:bash|yaml title="([^"]+)")\n(.*?)^```', flags=re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    """Return the commands of a page; a block of YAML with a title is a command that writes that file."""
    text = (GUIDE / page).read_text("utf-8")
    return [f"cat > {file} <<'END'\n{body}END\n" if file else body for file, body in BLOCK.findall(text)]


@dataclass(frozen=True)
class Desk:
    """A folder with photos, and a shell with the variables that the pages leave open.

    Attributes:
        folder: The folder.
        environ: The variables.
        images: The images that the cluster has, by target.
    """

    folder: Path
    environ: dict[str, str]
    images: dict[str, str]

    def type(self, commands: list[str]) -> str:
        """Run commands in a shell; return their output."""
        script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null' EXIT", *commands])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return f"{done.stdout}\n{done.stderr}"


def draw_photos(folder: Path) -> None:
    """Draw discs and squares, enough to learn from."""
    random = np.random.default_rng(0)
    for label in ("disc", "square"):
        (folder / label).mkdir(parents=True)
        for number in range(45):
            pixels = np.clip(random.integers(60, 180, 3) + random.normal(0, 14, (150, 150, 3)), 0, 255)
            x, y, r = random.integers(50, 100), random.integers(50, 100), random.integers(25, 45)
            rows, columns = np.mgrid[:150, :150]
            round_ = (rows - y) ** 2 + (columns - x) ** 2 <= r * r
            square = (abs(rows - y) <= r) & (abs(columns - x) <= r)
            pixels[round_ if label == "disc" else square] = random.integers(180, 255, 3)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{label}-{number}.png")


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def desk(
    lab: Lab, session_name: str, image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    names = {target: image(target) for target in ("steps", "serving", "platform")}
    name, folder = f"{session_name}-guide", tmp_path_factory.mktemp("guide")
    release = MlflowRelease(lab, name, names["platform"])
    draw_photos(folder / "photos")
    (folder / "photo.png").write_bytes(next((folder / "photos" / "disc").iterdir()).read_bytes())
    bucket_client(lab).create_bucket(Bucket=name)
    (folder / "programs").mkdir()
    (folder / "programs" / "docker").write_text('#!/bin/sh\necho "$@" >> docker-calls\n')  # the images are there
    (folder / "programs" / "docker").chmod(0o755)
    environ = lab.client | {
        "MLOPS": name,
        "FLEET": name,
        "BUCKET": name,
        "REGISTRY": "docker.io",  # where the lab's nodes look for names without a registry
        "CHARTS": str(ROOT / "charts"),
        "MLFLOW_PORT": free_port(),
        "SERVING": f"{name}-answers",
        "SKILL": SKILL,
        "PHOTO": "photo.png",
        "S3_PORT": lab.s3.rpartition(":")[2],
        "ANSWERS_PORT": free_port(),
        "COACHWORKS_CACHE": str(folder / "cache"),
        "PATH": f"{folder / 'programs'}:{Path(sys.executable).parent}:{lab.environ['PATH']}",
    }
    try:
        yield Desk(folder, environ, names)
    finally:
        lab.kubectl("delete", "namespace", environ["SERVING"], "--ignore-not-found", "--wait=false")
        lab.kubectl("-n", PIPELINES, "delete", "secret", name, "--ignore-not-found")
        forget_pipeline(lab, name)
        release.remove()


@pytest.fixture(scope="module")
def first_run(desk: Desk) -> str:
    """Output of the page that ends with a run in the dashboard."""
    return desk.type(blocks("kubernetes.md"))


def test_the_page_leads_from_nothing_to_a_run(first_run: str) -> None:
    assert "succeeded" in first_run
    assert "passed" in first_run


def test_the_page_builds_the_images_that_it_names_afterwards(desk: Desk, first_run: str) -> None:
    calls = [line.split() for line in (desk.folder / "docker-calls").read_text("utf-8").splitlines()]
    built = {call[call.index("--tag") + 1] for call in calls if call[0] == "build"}
    assert built == {call[1] for call in calls if call[0] == "push"}
    assert built == {f"docker.io/{name}" for name in desk.images.values()}
    assert f"docker.io/{desk.images['steps']}" in (desk.folder / "fleet.yaml").read_text("utf-8")


def test_the_next_page_leads_from_a_registered_fleet_to_a_deployed_one(lab: Lab, desk: Desk, first_run: str) -> None:
    reach = next(block for block in blocks("kubernetes.md") if "port-forward" in block)
    output = desk.type([reach, *blocks("deploy.md")])
    answer = json.loads(next(line for line in output.splitlines() if line.startswith('{"fleet"')))
    assert {skill: each["label"] for skill, each in answer["answers"].items()} == {SKILL: "disc"}
    assert "Awaiting approval" in output
    assert f"Version 1 of {SKILL} is approved by" in output
    assert "--dry-run removes nothing" in output
    assert "succeeded" in output
    run = re.findall(r"#/runs/details/([0-9a-f-]{36})", output)[-1]
    assert steps_with_pods(lab, run) == ["deploy", "ingest", "register"], "spec.deploy is a parameter of one step only"

    assert ask(lab, desk, "default") == "200", "the page names this namespace"
    assert ask(lab, desk, desk.environ["MLOPS"]) == "timed out"


def ask(lab: Lab, desk: Desk, namespace: str) -> str:
    """Send a request to the skill's Service from a pod of a namespace; return its status, or the reason of failure."""
    code = f"""
import urllib.request
try:
    print(urllib.request.urlopen("http://{SKILL}.{desk.environ["SERVING"]}.svc:8080/readyz", timeout=5).status)
except OSError as err:
    print(getattr(err, "reason", err))
"""
    pod, image = f"{desk.environ['FLEET']}-ask", f"--image=docker.io/{desk.images['serving']}"
    options = (image, "--image-pull-policy=IfNotPresent", "--restart=Never", "--command", "--", "python", "-c", code)
    lab.kubectl("-n", namespace, "run", pod, *options)
    name = f"pod/{pod}"
    lab.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", name, "--timeout=60s")
    answer = lab.kubectl("-n", namespace, "logs", name).strip()
    lab.kubectl("-n", namespace, "delete", name, "--wait=false")
    return answer


def steps_with_pods(lab: Lab, run: str) -> list[str]:
    """Return the steps of a run that had pods; the results of the others came from KFP's cache."""
    nodes = [
        node
        for each in lab.get("-n", PIPELINES, "workflows", "-l", f"pipeline/runid={run}")["items"]
        for node in each["status"]["nodes"].values()
    ]
    return sorted(
        node["name"].rpartition(".executor")[0].rpartition(".")[2]
        for node in nodes
        if node["type"] == "Pod" and ".executor" in node["name"]
    )
