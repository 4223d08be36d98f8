"""Versions that are deployed, as the tags of the versions in MLflow record it when a document is written."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.tracking import Tracking, open_client, translated
from coachworks.tracking.registry import Model, model_name, read_models
from coachworks.tracking.registry_file import open_registry_file, read_file_model
from components.deploy.models.deployment_tags import DEPLOYED, deployments_of

_LONGEST_WAIT_S = 20.0  # documents can do without the server


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedVersion:
    """Version of a skill in a Helm release.

    Attributes:
        version: Number of the version.
        namespace: Namespace of the release.
        release: Name of the release.
        since: Time of its deployment, ISO 8601; "" if the tag does not contain it.
    """

    version: str
    namespace: str
    release: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """Deployed versions of a fleet.

    Attributes:
        known: False if the registry could not be read.
        by_skill: Deployed versions by skill, one per release.
    """

    known: bool = True
    by_skill: Mapping[str, tuple[DeployedVersion, ...]] = field(default_factory=dict)

    def of(self, skill: str) -> tuple[DeployedVersion, ...]:
        """Return the deployed versions of a skill."""
        return self.by_skill.get(skill, ())

    def to_json(self) -> dict[str, Any] | None:
        """Return the deployed versions by skill as JSON values; None if they are not known."""
        return {skill: [asdict(each) for each in own] for skill, own in self.by_skill.items()} if self.known else None


def read_deployments(fleet: Fleet, tracking: Tracking, progress: Progress) -> Deployments:
    """Read the deployment tags in the registry. A registry that cannot be read makes no document fail."""
    try:
        models = _read_models(fleet, tracking, progress)
    except (CoachworksError, sqlite3.Error) as err:
        progress.note(f"the documents do not say what is deployed: {err}")
        return Deployments(known=False)
    by_skill = {model.skill: tuple(_deployed(model)) for model in models if model.skill in fleet.spec.skills}
    return Deployments(by_skill={skill: own for skill, own in sorted(by_skill.items()) if own})


def _read_models(fleet: Fleet, tracking: Tracking, progress: Progress) -> Iterable[Model]:
    if tracking.database is None:
        client = open_client(tracking, progress, longest_wait_s=_LONGEST_WAIT_S)
        with translated(tracking):
            return read_models(client, fleet)
    if not tracking.database.exists():
        return []
    with open_registry_file(tracking.database) as connection:
        return [read_file_model(connection, model_name(fleet, skill)) for skill in fleet.spec.skills]


def _deployed(model: Model) -> Iterable[DeployedVersion]:
    for number, version in model.versions.items():
        for (namespace, release), tag in sorted(deployments_of(version.tags).items()):
            if tag["state"] == DEPLOYED:
                yield DeployedVersion(
                    version=number, namespace=namespace, release=release, since=str(tag.get("at", ""))
                )
