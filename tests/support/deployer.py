"""A service account that may deploy, with the rights of charts/platform, and users who may only read."""

import json
from pathlib import Path

from lab import Lab

CHART = Path(__file__).parents[2] / "charts" / "platform"
VALUES = Path(__file__).parents[1] / "cluster" / "platform-values.yaml"
RESTRICTED_NAMESPACE = {"pod-security.kubernetes.io/enforce": "restricted"}
ACCOUNT = "coachworks-deployer"
USER = "ada@example.org"


def grant(lab: Lab, namespace: str) -> None:
    """Give the rights in a namespace, as an administrator does with the platform's chart."""
    settings = [
        "s3.bucket=unused",
        "rbac.create=true",
        f"rbac.servingNamespaces[0]={namespace}",
        "rbac.users[0].kind=User",
        f"rbac.users[0].name={USER}",
    ]
    chosen = [f"--set={setting}" for setting in settings]
    shown = [f"--show-only=templates/rbac/{name}.yaml" for name in ("deployer", "user")]
    text = lab.call("helm", "template", "platform", str(CHART), "-n", namespace, f"--values={VALUES}", *chosen, *shown)
    lab.kubectl("apply", "-n", namespace, "-f", "-", text=text)


def deployer_of(lab: Lab, namespace: str, file: Path) -> Path:
    """Write a kubeconfig with the deployer's token and nothing else."""
    grant(lab, namespace)
    token = lab.kubectl("create", "token", ACCOUNT, "-n", namespace, "--duration=3h").strip()
    known = json.loads(lab.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    context = {"cluster": "lab", "user": ACCOUNT, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": known["clusters"][0]["cluster"]}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": "deployer", "context": context}],
        "current-context": "deployer",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(config), "utf-8")
    file.chmod(0o600)
    return file
