"""Submission of the pipeline to a cluster: preconditions, upload, start and schedule."""

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from coachworks.context import open_context
from coachworks.errors import InvalidConfigError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.deploy import Deploy
from coachworks.fleet.model import AUTO_BACKBONE, BACKBONES, Fleet, is_included
from coachworks.fleet.skill import Serving
from coachworks.progress import Progress
from coachworks.runs import record_remote
from coachworks.steps import CHAIN
from coachworks.store import Store
from pipelines.compiled import compile_pipeline, pipeline_name, version_name
from pipelines.kubeflow import Kubeflow, RemoteRun, Schedule

_IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A pipeline to submit, with its parameters.

    Attributes:
        fleet: The fleet, located.
        lanes: The skills, lane by lane.
        refresh: Steps to do again.
        ingested: Key of a result of ingest that was made on this machine; empty if pods ingest.
        salt: Value that separates KFP's cache from that of other stores.
    """

    fleet: Fleet
    lanes: list[list[str]]
    refresh: Sequence[str] = ()
    ingested: str = ""
    salt: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The pipeline's parameters."""
        fleet = for_pods(self.fleet, self.salt)
        fleets = {"fleet": fleet.to_json(), "recipe": recipe_of(fleet).to_json()}
        return {**fleets, "lanes": self.lanes, "ingested": self.ingested}


def for_pods(fleet: Fleet, salt: str = "") -> Fleet:
    """Return the fleet as the steps get it.

    It lacks the settings of the pods: otherwise a new memory limit would invalidate every cached step. It has the salt
    of KFP's cache: the cache outlives a store that was emptied, and would return keys of results that no longer exist.
    """
    kept = fleet.spec.cluster.model_dump(include={"dashboard", "cache_salt"}, exclude_unset=True)
    cluster = Cluster(**({"cache_salt": salt} if salt else {}) | kept)
    deploy = fleet.spec.deploy if fleet.spec.deploy.automatic else Deploy()
    if deploy.automatic and deploy.environment is None:
        deploy = deploy.model_copy(update={"environment": fleet.spec.cluster.environment})
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"cluster": cluster, "deploy": deploy})})


def recipe_of(fleet: Fleet) -> Fleet:
    """Return the fleet without `deploy` and `serving`, which only the step deploy reads.

    So KFP does not repeat the other steps when only the deployment changes.
    """
    spec = fleet.spec
    defaults = spec.defaults.model_copy(update={"serving": Serving()})
    skills = {name: skill.model_copy(update={"serving": None}) for name, skill in spec.skills.items()}
    changes = {"deploy": Deploy(), "defaults": defaults, "skills": skills}
    return fleet.model_copy(update={"spec": spec.model_copy(update=changes)})


def store_identity(store: Store) -> str:
    """Return the random name that the store got at the first submission; every store has its own."""
    store.create(_IDENTITY, uuid.uuid4().hex.encode())
    return store.read(_IDENTITY).decode()


def refuse_unfit(fleet: Fleet, *, recurring: bool) -> None:
    """Refuse a fleet that pods could not process.

    Args:
        fleet: The fleet, located.
        recurring: Whether it runs on a schedule, when photos on this machine cannot be ingested.

    Raises:
        InvalidConfigError: a setting is unfit; the message names it and the way out.
    """
    from components.ingest.reach import local_sources

    spec = fleet.spec
    if not spec.store.startswith("s3://"):
        raise InvalidConfigError(
            f"`spec.store` must be s3://bucket/prefix for a cluster: pods cannot reach the folder {spec.store!r}. "
            "Name a bucket, or run on this machine with `coachworks run`."
        )
    if spec.tracking is None or not spec.tracking.startswith(("http://", "https://")):
        raise InvalidConfigError(
            f"`spec.tracking` must be the address of an MLflow server for a cluster; got {spec.tracking!r}. "
            "`helm install` of charts/platform brings one; name it as https://mlflow.example."
        )
    if spec.backbone != AUTO_BACKBONE and not is_included(spec.backbone) and not spec.backbone.startswith("hub:"):
        raise InvalidConfigError(
            f"`spec.backbone` must be one of {', '.join(BACKBONES)}, hub:owner/name or auto for a cluster: pods cannot "
            f"reach the folder {spec.backbone!r}."
        )
    if spec.deploy.automatic and spec.deploy.namespace is None:
        raise InvalidConfigError(
            "`spec.deploy.namespace` must name where to serve for a pipeline that deploys (`spec.deploy.automatic`): a "
            "pod's own namespace is that of the pipelines."
        )
    local = local_sources(fleet) if recurring else []
    if local:
        folders = ", ".join(source.photos for source in local)
        raise InvalidConfigError(
            f"a recurring run needs sources that pods can reach; these are on this machine: {folders}. Copy them to a "
            "bucket and name them as s3://bucket/prefix."
        )


def ingest_here(fleet: Fleet, progress: Progress) -> str:
    """Ingest photos that only this machine can reach, with progress.

    Returns:
        Key of the result of ingest; empty if pods can reach every source.
    """
    from components.ingest.reach import local_sources
    from components.ingest.step import ingest

    if not local_sources(fleet):
        return ""
    return ingest(fleet, context=open_context(fleet, progress=progress)).key


def upload(kubeflow: Kubeflow, submission: Submission) -> tuple[tuple[str, str], str]:
    """Upload the compiled pipeline as a version named by its content, unless it exists.

    Returns:
        The ids of the pipeline and its version, and the version's name.
    """
    fleet = submission.fleet
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(package, fleet, cached=not submission.refresh)
        version = version_name(package)
        ids = kubeflow.upload(package, pipeline_name(fleet), version, f"The pipeline of the fleet {fleet.name}.")
    return ids, version


def start(kubeflow: Kubeflow, store: Store, submission: Submission) -> RemoteRun:
    """Start a run in the experiment of the fleet and record it in the store."""
    fleet = submission.fleet
    ids, version = upload(kubeflow, submission)
    run = kubeflow.start(
        kubeflow.experiment(fleet.name),
        f"{fleet.name} {version[:6]} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}",
        ids,
        submission.parameters,
        fleet.spec.cluster.service_account,
    )
    record_remote(store, run.id, submission.parameters["fleet"], submission.lanes, submission.refresh)
    return run


def schedule(kubeflow: Kubeflow, submission: Submission, cron: str) -> Schedule:
    """Create a recurring run, in place of the fleet's earlier schedule."""
    fleet = submission.fleet
    ids, _ = upload(kubeflow, submission)
    return kubeflow.schedule(
        kubeflow.experiment(fleet.name),
        f"{fleet.name} on schedule",
        ids,
        submission.parameters,
        fleet.spec.cluster.service_account,
        cron,
    )


def steps_from(step: str | None) -> list[str]:
    """Return the steps from `step` on; none for None."""
    return list(CHAIN)[list(CHAIN).index(step) :] if step else []
