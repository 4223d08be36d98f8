"""A fleet of two skills, trained on this machine and registered, to be deployed with a deployer's rights."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployer import RESTRICTED_NAMESPACE, deployer_of
from mlflow_process import mlflow_server
from ruamel.yaml import YAML

from cluster_fleet import bucket_client, empty_bucket
from coachworks.cli.showroom.showroom import draw_showroom
from components.deploy.helm.binary import HELM_VARIABLE
from lab import S3_KEY, S3_REGION, S3_SECRET, Lab

CARS = 40
SERVICES = {"image-content": ("image-content", 8080), "image-quality": ("ai-image-quality", 9722)}  # name and port
PODS, SHARE, SOAK_S, DRAIN_S = 2, 0.25, 20, 5
SHORT_S = 5  # a soak where it is not the point
_GATES = {"minPhotosPerLabel": 10, "minBalancedAccuracy": 0.3, "maxExpectedCalibrationError": 0.9}
_FIRST, _SECOND = ["linear"], ["knn"]  # what the first and the second version of each model are


@dataclass(frozen=True)
class Deployed:
    """Outcome of `coachworks deploy`.

    Attributes:
        status: Its exit status.
        output: Its output beside the report.
        report: The report; empty where it failed.
    """

    status: int
    output: str
    report: Mapping[str, Any]

    @property
    def versions(self) -> dict[str, str]:
        return {skill: entry["version"] for skill, entry in self.report["skills"].items()}

    @property
    def layouts(self) -> dict[str, str]:
        return {skill: entry["layout"] for skill, entry in self.report["skills"].items()}

    @property
    def stages(self) -> str:
        """Stages and how long they took, for the table of requests."""
        stages = self.report.get("stages", ())
        times = ", ".join(f"{stage['name']} {stage['seconds']:.0f} s" for stage in stages)
        return f"{sum(stage['seconds'] for stage in stages):.0f} s: {times}" if stages else ""


@dataclass(frozen=True)
class ServingFleet:
    """A registered fleet.

    Attributes:
        lab: The cluster.
        name: Name of the fleet, its release, its bucket, its namespace and the Secret in it.
        folder: Folder of the photos and the fleet file.
        tracking: Address of MLflow.
        image: Image of the pods by default.
        kubeconfig: Kubeconfig of the deployer, with the rights of charts/platform only.
        first_run: Table of the run that registered the first version of each model.
    """

    lab: Lab
    name: str
    folder: Path
    tracking: str
    image: str
    kubeconfig: Path
    first_run: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "serving.yaml"

    @property
    def photo(self) -> Path:
        """A photo that was not used in training."""
        return sorted((self.folder / "unseen").iterdir())[0]

    @property
    def targets(self) -> list[dict[str, Any]]:
        """Host and port of each skill, for clients in pods."""
        return [{"skill": skill, "host": name, "port": port} for skill, (name, port) in SERVICES.items()]

    @property
    def models(self) -> Any:
        """MLflow's client."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.tracking, registry_uri=self.tracking)

    @property
    def environ(self) -> dict[str, str]:
        """Environment of the deployer's shell, beside the cluster's addresses."""
        return {"COACHWORKS_CACHE": str(self.folder / "cache"), "KUBECONFIG": str(self.kubeconfig)}

    def tell(
        self,
        *,
        names: Mapping[str, str] | None = None,
        layouts: Mapping[str, str] | None = None,
        image: str | None = None,
        fault: str = "",
        critical: Iterable[str] = (),
        candidates: Iterable[str] = _FIRST,
        shared: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        serving: Mapping[str, Any] | None = None,
        soak_s: int = SOAK_S,
        renamed: Mapping[str, str] | None = None,
        **deploy: Any,
    ) -> None:
        """Write the fleet file; arguments that are left out have the usual values.

        Args:
            names: New names of skills, which the fleet file does not connect with the old ones.
            layouts: Of skills that do not share pods.
            image: Of the pods.
            fault: How that image misbehaves.
            critical: Skills that need an approval.
            candidates: What is trained.
            shared: Further values of the chart, for the shared pods.
            values: Further values of the chart.
            serving: Number and resources of the pods that differ from the usual ones.
            soak_s: How long a canary must hold.
            renamed: New names of skills by their earlier ones, given by `was`; their Services have the default name.
            deploy: Further settings of `spec.deploy`.
        """
        pods: dict[str, Any] = {"replicas": PODS, "cpu": "100m", "memory": "768Mi", **(serving or {})}
        if fault:
            pods["environment"] = {"FAULT": fault}
        skills = json.loads(json.dumps(self._skills()))
        for skill, (service, port) in SERVICES.items():
            skills[skill]["tier"] = "critical" if skill in critical else "standard"
            layout = {"layout": (layouts or {}).get(skill, "shared"), "serviceName": service}
            skills[skill]["serving"] = layout | ({} if port == 8080 else {"port": port})
        skills = {(names or {}).get(skill, skill): entry for skill, entry in skills.items()}
        for was, name in (renamed or {}).items():
            del skills[was]["serving"]["serviceName"]
            skills[name] = {**skills.pop(was), "was": was}
        content = {
            "drainSeconds": DRAIN_S,
            "health": {"periodSeconds": 2},
            "networkPolicy": {"s3": {"ports": [19000]}},
            **({"shared": dict(shared)} if shared else {}),
            **(values or {}),
        }
        release = {
            "namespace": self.name,
            "environment": [{"secret": self.name}],
            "canary": {"share": SHARE, "soakSeconds": soak_s, "maxLatencyRatio": 3.0, "smokePhotos": 3},
            "values": content,
            "image": image or self.image,
            **deploy,
        }
        spec = {
            "store": f"s3://{self.name}/store",
            "tracking": self.tracking,
            "sources": [{"photos": "./photos", "table": "./photos.csv", "permission": "drawn for tests"}],
            "augment": {"views": 0},
            "defaults": {"candidates": list(candidates), "gates": _GATES, "serving": pods},
            "deploy": release,
            "skills": skills,
        }
        document = {"apiVersion": "coachworks.dev/v1", "kind": "Fleet", "metadata": {"name": self.name}, "spec": spec}
        YAML().dump(document, self.file)

    def _skills(self) -> dict[str, Any]:
        drawn = YAML(typ="safe").load((self.folder / "fleet.yaml").read_text("utf-8"))["spec"]["skills"]
        return {skill: {key: drawn[skill][key] for key in ("question", "labels")} for skill in SERVICES}

    def coachworks(
        self, command: str, *arguments: str, helm: str = "helm", timeout: float = 600
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on this fleet with the deployer's rights and this `helm`."""
        environ = self.environ | ({} if helm == "helm" else {HELM_VARIABLE: helm})
        return self.lab.coachworks(
            command, "-f", self.file, *arguments, cwd=self.folder, environ=environ, timeout=timeout
        )

    def deploy(self, *arguments: str, expect: int = 0, command: str = "deploy", helm: str = "helm") -> Deployed:
        """Run `coachworks deploy`, check its exit status; return its outcome."""
        done = self.coachworks(command, "--json", *arguments, helm=helm)
        assert done.returncode == expect, f"{done.stdout}\n{done.stderr}"
        return Deployed(done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else {})

    def start_deploying(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `coachworks deploy` in the background, in a process group of its own."""
        command = [sys.executable, "-m", "coachworks.cli.main", "deploy", "-f", str(self.file), *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.lab.client | self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def get(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """Return objects of the release, with the administrator's rights."""
        label = f"app.kubernetes.io/instance={self.name}"
        objects: list[dict[str, Any]] = self.lab.get("-n", self.name, kind, "-l", label, *arguments)["items"]
        return objects

    def pods(self, group: str = "shared", track: str = "stable") -> list[str]:
        """Return the names of the ready pods that are not terminating."""
        labels = {"coachworks.dev/group": group, "coachworks.dev/track": track}
        return [
            pod["metadata"]["name"]
            for pod in self.get("pods")
            if labels.items() <= pod["metadata"]["labels"].items()
            and "deletionTimestamp" not in pod["metadata"]
            and {"type": "Ready", "status": "True"}.items()
            <= next((c for c in pod["status"].get("conditions", ()) if c["type"] == "Ready"), {}).items()
        ]

    def history(self) -> list[dict[str, Any]]:
        """Return the parsed output of `helm history`."""
        revisions: list[dict[str, Any]] = json.loads(
            self.lab.call("helm", "history", self.name, "-n", self.name, "-o", "json", "--max", "256")
        )
        return revisions

    def train(self) -> None:
        """Register two versions of each model: by a run that would deploy critical skills, and by single steps."""
        self.tell(automatic=True, critical=SERVICES)
        done = self.coachworks("run", "--json")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        self.first_run.update(json.loads(done.stdout))
        self.tell(candidates=_SECOND)
        for step in ("train", "evaluate", "register"):
            done = self.coachworks(step)
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        for skill in SERVICES:
            self.models.set_registered_model_alias(f"{self.name}.{skill}", "champion", "1")
        self.tell()


def remove_unsure(table: Path) -> None:
    """Remove the rows with the label `unsure`: they would stop critical skills."""
    lines = table.read_text("utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "unsure" not in line), "utf-8")


@contextmanager
def serving_fleet(lab: Lab, name: str, folder: Path, image: str) -> Iterator[ServingFleet]:
    """Train a fleet with two versions of each model, the first as champion; remove everything afterwards."""
    secret = {
        "AWS_ACCESS_KEY_ID": S3_KEY,
        "AWS_SECRET_ACCESS_KEY": S3_SECRET,
        "AWS_REGION": S3_REGION,
        "AWS_ENDPOINT_URL": lab.s3,
    }
    lab.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED_NAMESPACE}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": name}, "stringData": secret},
    )
    bucket_client(lab).create_bucket(Bucket=name)
    tracked = folder / "mlflow"
    tracked.mkdir(parents=True)
    try:
        with mlflow_server(tracked) as tracking:
            draw_showroom(folder, cars=CARS)
            remove_unsure(folder / "photos.csv")
            fleet = ServingFleet(lab, name, folder, tracking, image, deployer_of(lab, name, folder / "kubeconfig"))
            fleet.train()
            yield fleet
    finally:
        lab.call("helm", "uninstall", name, "-n", name, "--ignore-not-found", check=False)
        lab.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        empty_bucket(lab, name)
