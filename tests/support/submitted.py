"""Submitted runs: their tables, their artifacts and metrics in the dashboard, and the versions in MLflow."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from cluster_fleet import ClusterFleet, bucket_client
from coachworks.result import Result
from coachworks.results import ancestor, load
from coachworks.store import Store, open_store


def listed(fleet: ClusterFleet) -> Any:
    """Return the parsed output of `coachworks runs`."""
    done = fleet.coachworks("runs", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Done:
    """A run that has ended.

    Attributes:
        table: Output of `--json`.
        output: Its output beside the table.
        store: The fleet's store.
    """

    table: dict[str, Any]
    output: str
    store: Store

    @property
    def id(self) -> str:
        return str(self.table["run"])

    @property
    def skills(self) -> dict[str, Any]:
        return {row["skill"]: row for row in self.table["skills"]}

    def result(self, step: str) -> Result:
        """Return the result of a step of this run."""
        entries = [json.loads(self.store.read(key)) for key in self.store.list(f"runs/{self.id}/results")]
        (last,) = [load(self.store, "document", entry["key"]) for entry in entries if entry["step"] == "document"]
        return last if step == "document" else ancestor(self.store, last, step)


def done(fleet: ClusterFleet, process: Any) -> Done:
    assert process.stdout, process.stderr
    return Done(json.loads(process.stdout), process.stderr, open_store(f"s3://{fleet.name}/store"))


def versions(models: Any, fleet: ClusterFleet) -> dict[str, list[int]]:
    """Return the versions of every registered model of the fleet."""
    numbers_of: dict[str, list[int]] = {}
    for version in models.search_model_versions(f"name LIKE '{fleet.name}.%'"):
        numbers_of.setdefault(version.name, []).append(int(version.version))
    return {name: sorted(numbers) for name, numbers in sorted(numbers_of.items())}


def runs_of(models: Any, fleet: ClusterFleet) -> dict[str, int]:
    """Return the number of runs in each experiment of the fleet."""
    experiments = models.search_experiments(filter_string=f"name LIKE '{fleet.name}/%'")
    return {each.name: len(models.search_runs([each.experiment_id], max_results=1000)) for each in experiments}


def metrics_shown(run: str, step: str, fleet: ClusterFleet) -> list[str]:
    """Return the dashboard's metadata of a step's metrics as raw text: names are readable in it."""
    request = urllib.request.Request(
        f"{fleet.lab.environ['KFP_UI']}/ml_metadata.MetadataStoreService/GetArtifacts",
        data=b"\0" * 5,  # an empty message
        headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        entries = answer.read().decode("latin-1").split("minio://")
    return [entry for entry in entries if f"/{run}/{step}/" in entry and "/metrics" in entry]


def artifacts_of(run: str, fleet: ClusterFleet) -> dict[str, str]:
    """Return the texts that the dashboard shows of a run, by their key in its bucket."""
    client, texts = bucket_client(fleet.lab), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="mlpipeline", Prefix="v2/artifacts/"):
        for entry in page.get("Contents", ()):
            if run in entry["Key"]:
                body = client.get_object(Bucket="mlpipeline", Key=entry["Key"])["Body"].read()
                texts[entry["Key"]] = body.decode("utf-8", "replace")
    return texts


def metrics_of(store: Store, document: Result) -> list[list[float]]:
    """Return the numbers that evaluate reports of every skill, in a fixed order."""
    package = ancestor(store, document, "package")
    reports = [ancestor(store, load(store, "register", key), "evaluate").report for key in package.inputs["register"]]
    skills = {name: judged for report in reports for name, judged in report["skills"].items()}
    fields = ("balanced_accuracy", "macro_f1", "accuracy", "ece_before", "ece_after", "temperature", "log_loss")
    return [numbers([skills[name][field] for field in fields]) for name in sorted(skills)]


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list):
        return [number for entry in value for number in numbers(entry)]
    return [float(value)] if isinstance(value, (int, float)) else []
