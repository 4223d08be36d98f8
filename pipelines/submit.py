"""Send the pipeline to a cluster: what must hold before, what is uploaded, what is started."""

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
from coachworks.fleet.model import BACKBONES, Fleet, Serving
from coachworks.progress import Progress
from coachworks.runs import record_remote
from coachworks.steps import CHAIN
from coachworks.store import Store
from pipelines.compiled import compile_pipeline, pipeline_name, version_name
from pipelines.kubeflow import Kubeflow, RemoteRun, Schedule

_IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is sent.

    Attributes:
        fleet: The fleet, located.
        lanes: The skills, lane by lane.
        refresh: Steps to do afresh.
        ingested: Key of the result of ingest that was made here; empty where pods ingest.
        salt: What KFP's cache is kept apart by.
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
        told = {"fleet": fleet.to_json(), "recipe": recipe_of(fleet).to_json()}
        return {**told, "lanes": self.lanes, "ingested": self.ingested}


def for_pods(fleet: Fleet, salt: str = "") -> Fleet:
    """The fleet as steps get it.

    How pods are made stays out, or a new memory limit would spoil every cached step. What keeps KFP's cache apart
    goes in: the cache outlives a store that was emptied, and would answer with keys of results that are gone.
    """
    told = fleet.spec.cluster.model_dump(include={"dashboard", "cache_salt"}, exclude_unset=True)
    cluster = Cluster(**({"cache_salt": salt} if salt else {}) | told)
    deploy = fleet.spec.deploy if fleet.spec.deploy.automatic else Deploy()
    if deploy.automatic and deploy.environment is None:
        deploy = deploy.model_copy(update={"environment": fleet.spec.cluster.environment})
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"cluster": cluster, "deploy": deploy})})


def recipe_of(fleet: Fleet) -> Fleet:
    """What the models are made by: the fleet without `deploy` and `serving`, which only deploying looks at.

    So whoever deploys in another way waits for no step that KFP has done before.
    """
    spec = fleet.spec
    defaults = spec.defaults.model_copy(update={"serving": Serving()})
    skills = {name: skill.model_copy(update={"serving": None}) for name, skill in spec.skills.items()}
    told = {"deploy": Deploy(), "defaults": defaults, "skills": skills}
    return fleet.model_copy(update={"spec": spec.model_copy(update=told)})


def store_identity(store: Store) -> str:
    """A name that the store was given when it was first submitted from: another store, another name."""
    store.create(_IDENTITY, uuid.uuid4().hex.encode())
    return store.read(_IDENTITY).decode()


def refuse_unfit(fleet: Fleet, *, recurring: bool) -> None:
    """Refuse a fleet that pods could not work on.

    Args:
        fleet: The fleet, located.
        recurring: Whether it shall run on a schedule, with nobody there to take in photos from this machine.

    Raises:
        InvalidConfigError: says which setting, and the way out.
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
    if spec.backbone not in BACKBONES and not spec.backbone.startswith("hub:"):
        raise InvalidConfigError(
            f"`spec.backbone` must be one of {', '.join(BACKBONES)} or hub:owner/name for a cluster: pods cannot reach "
            f"the folder {spec.backbone!r}."
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
    """Take in photos that only this machine can reach: into the store, with progress.

    Returns:
        Key of the result of ingest; empty where pods can reach every source.
    """
    from components.ingest.reach import local_sources
    from components.ingest.step import ingest

    if not local_sources(fleet):
        return ""
    return ingest(fleet, context=open_context(fleet, progress=progress)).key


def upload(kubeflow: Kubeflow, submission: Submission) -> tuple[tuple[str, str], str]:
    """Upload the compiled pipeline as a version named by its content, unless that is there.

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
    """Let the pipeline run by itself, in place of the fleet's earlier schedule."""
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
    """The steps from `step` on, to be done afresh; none for None."""
    return list(CHAIN)[list(CHAIN).index(step) :] if step else []
