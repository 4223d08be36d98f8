"""The images under Pod Security `restricted`, with a read-only root file system, as any user."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components import container_images
from lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]  # an image is built anew once its requirements change
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Code that must work in each target; only its own folder is writable.
PROVES = {
    "serving": "import bentoml, onnxruntime, numpy, boto3, serving.service, serving.launcher, serving.fetch",
    "steps": "subprocess.run(['coachworks', '--version'], check=True, cwd='/'); "
    "import torch, mlflow, kfp.dsl, kfp.kubernetes, great_expectations, typst, boto3, matplotlib.pyplot; "
    "assert torch.get_num_threads() == 1; assert torch.version.cuda is None",
    "platform": "import mlflow.server, mlflow.server.auth, psycopg, uvloop, boto3, coachworks.mlflow_server.__main__; "
    "subprocess.run(['pg_dump', '--version'], check=True)",
    "deployer": "subprocess.run(['coachworks', '--version'], check=True, cwd='/'); "
    "subprocess.run(['helm', 'lint', '/opt/coachworks/charts/platform'], check=True)",
}
PROBE = """
import hashlib, json, pathlib, shutil, subprocess, sys
from coachworks.settings import apply_quiet_settings
apply_quiet_settings()
{proves}
from coachworks.cpu_limit import usable_cores
assert usable_cores() == 1, usable_cores()
assert not [name for name in ("gcc", "cc", "make") if shutil.which(name)]
try:
    open("/opt/coachworks/written", "w")
except OSError:
    pass
else:
    sys.exit("the root file system is writable")
home = pathlib.Path("/opt/coachworks")
files = sorted(path for path in home.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
content = {{path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}}
print(hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12])
"""


@pytest.fixture(scope="module")
def namespace(lab: Lab) -> Iterator[str]:
    name = f"cw-images-{uuid.uuid4().hex[:6]}"
    lab.kubectl("create", "namespace", name)
    lab.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


def pod(name: str, namespace: str, image: str, command: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "256Mi"},
                        "limits": {"cpu": "1", "memory": "2Gi"},
                    },
                    "securityContext": RESTRICTED,
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 — the pod's own volume
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_an_image_works_as_it_is_confined(lab: Lab, namespace: str, image: Callable[[str], str], target: str) -> None:
    name = image(target)
    command = ["python", "-c", PROBE.format(proves=PROVES[target])]
    lab.apply(pod(target, namespace, name, command))
    phase = "jsonpath={.status.phase}"
    lab.kubectl("wait", f"pod/{target}", "-n", namespace, f"--for={phase}=Succeeded", "--timeout=180s", check=False)
    log = lab.kubectl("logs", target, "-n", namespace)
    assert lab.kubectl("get", "pod", target, "-n", namespace, "-o", phase) == "Succeeded", log
    assert name.endswith(f"-{log.splitlines()[-1]}")  # the tag names the files in the image, all of them


def test_a_wheel_names_the_same_images_as_the_checkout(tmp_path: Path) -> None:
    """A real wheel, built and installed; its build needs the package index, as images do."""
    root = Path(__file__).parents[2]
    context = tmp_path / "context"
    expected = {target: container_images.tag(target) for target in container_images.TARGETS}
    container_images.write_context(context)
    (context / "README.md").write_text((root / "README.md").read_text("utf-8"), "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, context], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    code = (
        "import json; from components import container_images as images; "
        "print(json.dumps({t: images.tag(t) for t in images.TARGETS}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == expected
