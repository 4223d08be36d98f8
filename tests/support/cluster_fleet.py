"""The demo's fleet on a cluster: its photos in a bucket, the variables of its pods in a Secret."""

import csv
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from coachworks.cli.showroom.showroom import draw_showroom
from lab import PIPELINES, S3_KEY, S3_REGION, S3_SECRET, Lab

SHARED_TRACKING = "https://mlflow.example"  # links begin with it; nobody opens them
CARS, MORE_CARS = 40, 6  # so few that the demo's gates would stop some skills: they are lowered


def bucket_client(lab: Lab) -> Any:
    """Return a client of the cluster's S3 server."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=lab.s3,
        aws_access_key_id=S3_KEY,
        aws_secret_access_key=S3_SECRET,
        region_name=S3_REGION,
    )


def empty_bucket(lab: Lab, name: str) -> None:
    """Remove a bucket with its objects."""
    client = bucket_client(lab)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket=name, Key=entry["Key"])
    client.delete_bucket(Bucket=name)


def forget_pipeline(lab: Lab, name: str) -> None:
    """Remove a fleet's runs, experiment and pipeline from Kubeflow Pipelines."""
    import kfp
    from kfp_server_api import ApiException

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = kfp.Client(host=lab.environ["KFP_ENDPOINT"])
    try:
        experiment = client.get_experiment(experiment_name=name).experiment_id
    except (ValueError, ApiException):  # nothing was submitted
        return
    while runs := client.list_runs(experiment_id=experiment, page_size=100).runs:
        for run in runs:
            client.delete_run(run.run_id)
    client.delete_experiment(experiment)
    pipeline = client.get_pipeline_id(f"coachworks-{name}")
    if pipeline:
        for version in client.list_pipeline_versions(pipeline, page_size=100).pipeline_versions or ():
            client.delete_pipeline_version(pipeline, version.pipeline_version_id)
        client.delete_pipeline(pipeline)


@dataclass(frozen=True)
class ClusterFleet:
    """A fleet that is ready to be submitted.

    Attributes:
        lab: The cluster.
        name: Name of the fleet, its bucket and its Secret.
        folder: Where `fleet.yaml` and the photos lie on this machine.
        tracking: Address of MLflow on this machine.
        credentials: User name and password of MLflow.
    """

    lab: Lab
    name: str
    folder: Path
    tracking: str
    credentials: tuple[str, str]

    @property
    def file(self) -> Path:
        """The fleet file for the cluster."""
        return self.folder / "cluster.yaml"

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables of a person's shell, beside the cluster's addresses."""
        return {
            "MLFLOW_TRACKING_URI": self.tracking,
            "MLFLOW_TRACKING_USERNAME": self.credentials[0],
            "MLFLOW_TRACKING_PASSWORD": self.credentials[1],
            "COACHWORKS_CACHE": str(self.folder / "cache"),
        }

    def tell_pods(self, *, s3: str) -> None:
        """Write the Secret with the store's credentials for pods; the platform writes that of MLflow."""
        variables = {
            "AWS_ACCESS_KEY_ID": S3_KEY,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_REGION": S3_REGION,
            "AWS_ENDPOINT_URL": s3,
        }
        metadata = {"name": self.name, "namespace": PIPELINES}
        self.lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": variables})

    def coachworks(self, command: str, *arguments: str | Path, timeout: float = 600) -> Any:
        """Run a command on this fleet."""
        return self.lab.coachworks(
            command, "-f", self.file, *arguments, cwd=self.folder, environ=self.environ, timeout=timeout
        )

    def upload_photos(self) -> None:
        """Put the photos and their table into the bucket."""
        client = bucket_client(self.lab)
        for photo in sorted((self.folder / "photos").iterdir()):
            client.upload_file(str(photo), self.name, f"incoming/photos/{photo.name}")
        client.upload_file(str(self.folder / "photos.csv"), self.name, "incoming/photos.csv")

    def add_photos(self) -> int:
        """Add cars to the bucket only; return the number of photos."""
        more = self.folder / "more"
        draw_showroom(more, cars=MORE_CARS, seed=7)
        client, rows = bucket_client(self.lab), list(csv.DictReader((self.folder / "photos.csv").open()))
        added = 0
        for row in csv.DictReader((more / "photos.csv").open()):
            path = more / "photos" / row["filename"]
            row["filename"] = f"more-{row['filename']}"
            client.upload_file(str(path), self.name, f"incoming/photos/{row['filename']}")
            rows.append(row)
            added += 1
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        client.put_object(Bucket=self.name, Key="incoming/photos.csv", Body=text.getvalue().encode())
        return added

    def remove(self) -> None:
        """Remove the Secret, the records of KFP and the bucket."""
        self.lab.kubectl("-n", PIPELINES, "delete", "secret", self.name, "--ignore-not-found")
        forget_pipeline(self.lab, self.name)
        empty_bucket(self.lab, self.name)


def make_fleet(
    lab: Lab, name: str, folder: Path, *, image: str, tracking: str, credentials: tuple[str, str], secret: str
) -> ClusterFleet:
    """Draw the demo's photos, put them into a bucket, write `fleet.yaml` (this machine) and `cluster.yaml`.

    Args:
        lab: The cluster.
        name: Name of the fleet, its bucket and its Secret.
        folder: Where the photos and the files go.
        image: Image of the steps.
        tracking: Address of MLflow on this machine.
        credentials: User name and password of MLflow.
        secret: Name of the Secret with MLflow's address and credentials.
    """
    fleet_on_cluster = ClusterFleet(lab, name, folder, tracking, credentials)
    draw_showroom(folder, cars=CARS)
    bucket_client(lab).create_bucket(Bucket=name)
    fleet_on_cluster.upload_photos()
    yaml = YAML()
    fleet = yaml.load((folder / "fleet.yaml").read_text("utf-8"))
    fleet["metadata"]["name"] = name
    fleet["spec"]["lanes"] = 2
    fleet["spec"]["defaults"]["gates"] = {"minPhotosPerLabel": 10, "minBalancedAccuracy": 0.5}
    yaml.dump(fleet, folder / "fleet.yaml")
    fleet["spec"]["store"] = f"s3://{name}/store"
    fleet["spec"]["tracking"] = SHARED_TRACKING
    for source in fleet["spec"]["sources"]:
        source["photos"] = f"s3://{name}/incoming/photos"
        source["table"] = f"s3://{name}/incoming/photos.csv"
    fleet["spec"]["cluster"] = {
        "image": image,
        "dashboard": lab.environ.get("KFP_UI", lab.environ["KFP_ENDPOINT"]),
        "environment": [{"secret": name}, {"secret": secret}],
        "defaults": {"requests": {"cpu": "100m", "memory": "768Mi"}},
    }
    yaml.dump(fleet, fleet_on_cluster.file)
    return fleet_on_cluster
