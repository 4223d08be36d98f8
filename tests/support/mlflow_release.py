"""The platform chart, installed in a namespace of its own, and its MLflow API."""

import base64
import io
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cluster_fleet import bucket_client, empty_bucket
from lab import S3_KEY, S3_SECRET, Lab

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "platform"
VALUES = ROOT / "tests" / "cluster" / "platform-values.yaml"
RELEASE = "platform"


@dataclass(frozen=True)
class MlflowRelease:
    """A release of the chart.

    Attributes:
        lab: The cluster.
        namespace: Its namespace, under the Pod Security standard *restricted*; the bucket has the same name.
        image: Image of the target `platform`.
    """

    lab: Lab
    namespace: str
    image: str

    @property
    def settings(self) -> list[str]:
        """Values that the values file leaves open."""
        repository, _, tag = self.image.rpartition(":")
        return [
            f"image.repository=docker.io/{repository}",
            f"image.tag={tag}",
            f"s3.endpoint={self.lab.s3}",
            f"s3.bucket={self.namespace}",
            "mlflow.service.type=NodePort",
        ]

    def make_namespace(self) -> None:
        """Create the namespace, and the Secret with the credentials of S3."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.lab.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "artifacts", "namespace": self.namespace},
                "stringData": {"AWS_ACCESS_KEY_ID": S3_KEY, "AWS_SECRET_ACCESS_KEY": S3_SECRET},
            },
        )

    def values(self, *settings: str) -> str:
        """Return the values of the release as the text of a file."""
        values = YAML().load(VALUES.read_text("utf-8"))
        for setting in (*self.settings, *settings):
            path, _, value = setting.partition("=")
            *parents, last = path.split(".")
            place = values
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = value
        text = io.StringIO()
        YAML().dump(values, text)
        return text.getvalue()

    def helm(self, *arguments: str) -> str:
        return self.lab.call("helm", "--namespace", self.namespace, *arguments)

    def upgrade(self, *settings: str, flags: tuple[str, ...] = ("--wait", "--timeout=240s")) -> str:
        """Install or upgrade the release, and wait until it is ready."""
        values = [word for setting in (*self.settings, *settings) for word in ("--set", setting)]
        try:
            return self.helm("upgrade", "--install", RELEASE, str(CHART), f"--values={VALUES}", *values, *flags)
        except AssertionError as err:
            raise AssertionError(f"{err}\n{self.trouble()}") from err

    def trouble(self) -> str:
        """Describe pods and events, to find out why pods do not start."""
        where = ("-n", self.namespace)
        logs = ("--all-containers", "--tail=30", "--prefix", "--timestamps")
        asked = [
            ("get", "pods,pvc,jobs,endpointslices", "-o", "wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("logs", f"deployment/{RELEASE}-mlflow", *logs),
            ("logs", f"statefulset/{RELEASE}-postgresql", *logs),
        ]
        return "\n".join(self.lab.kubectl(*where, *words, check=False) for words in asked)

    def secret(self, name: str, namespace: str | None = None) -> dict[str, str]:
        """Return the entries of a Secret."""
        data = self.lab.get("-n", namespace or self.namespace, "secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    @property
    def here(self) -> str:
        """Address of MLflow on this machine."""
        service = self.lab.get("-n", self.namespace, "service", f"{RELEASE}-mlflow")
        return f"http://127.0.0.1:{service['spec']['ports'][0]['nodePort']}"

    @property
    def inside(self) -> str:
        """Address of MLflow in pods."""
        return f"http://{RELEASE}-mlflow.{self.namespace}.svc:5000"

    @property
    def credentials(self) -> tuple[str, str]:
        """User name and password of the administrator."""
        return "admin", self.secret(f"{RELEASE}-auth")["admin-password"]

    def ask(
        self, method: str, path: str, body: Any = None, credentials: tuple[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request to MLflow's API, without credentials by default; return status and body."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.here}/api/2.0/{path}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if credentials:
            word = base64.b64encode(":".join(credentials).encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as err:
            status, body = err.code, err.read()
        try:
            return status, json.loads(body or b"null")
        except ValueError:
            return status, body

    def remove(self) -> None:
        """Remove the release, its namespace and the bucket."""
        self.lab.call("helm", "uninstall", RELEASE, "-n", self.namespace, "--ignore-not-found", check=False)
        self.lab.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
        if self.namespace in {entry["Name"] for entry in bucket_client(self.lab).list_buckets()["Buckets"]}:
            empty_bucket(self.lab, self.namespace)
