"""The page that leads from nothing to a run in the dashboard: its commands, run as they stand."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow_release import MlflowRelease
from PIL import Image

from cluster_fleet import bucket_client, forget_pipeline
from lab import PIPELINES, Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "kubernetes.md"


def blocks() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)


def draw_photos(folder: Path) -> None:
    """Discs and squares, enough of them to learn from."""
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


@pytest.fixture
def desk(
    lab: Lab, session_name: str, image: Callable[[str], str], tmp_path: Path
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with photos, and a shell that knows the names which the page leaves open."""
    image("steps")
    name = f"{session_name}-guide"
    release = MlflowRelease(lab, name, image("platform"))
    draw_photos(tmp_path / "photos")
    bucket_client(lab).create_bucket(Bucket=name)
    (tmp_path / "platform.yaml").write_text(release.values(f"pipelines.namespace={PIPELINES}"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = lab.client | {
        "MLOPS": name,
        "FLEET": name,
        "BUCKET": name,
        "CHARTS": str(ROOT / "charts"),
        "MLFLOW_PORT": str(port),
        "COACHWORKS_CACHE": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}:{lab.environ['PATH']}",
    }
    try:
        yield tmp_path, environ
    finally:
        lab.kubectl("-n", PIPELINES, "delete", "secret", name, "--ignore-not-found")
        forget_pipeline(lab, name)
        release.remove()


def test_the_page_leads_from_nothing_to_a_run(desk: tuple[Path, dict[str, str]]) -> None:
    folder, environ = desk
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null' EXIT", *blocks()])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "succeeded" in done.stdout + done.stderr
    assert "passed" in done.stdout
