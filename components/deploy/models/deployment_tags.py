"""Deployment tags: tags of model versions in MLflow that record where they are deployed, for people and for `prune`.

One tag per release, `coachworks.deployed.<namespace>.<release>`, JSON: `state` is `stable` on deployed versions and
`replaced` on versions that were deployed before.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.tracking import TrackingClient, open_client, retry_transient, tracking_of, translated
from coachworks.tracking.registry import Model, read_skill_models

DEPLOYED, REPLACED = "stable", "replaced"  # values of `state`
_TAG = "coachworks.deployed."


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A revision of a Helm release.

    Attributes:
        namespace: Namespace of the release.
        release: Name of the release.
        revision: Number of the revision.
        release_digest: Digest of all that is deployed, 12 hexadecimal digits.
        at: Time, ISO 8601, UTC.
        by: Name of the deployer.
    """

    namespace: str
    release: str
    revision: int
    release_digest: str
    at: str
    by: str

    @property
    def tag(self) -> str:
        """Name of the release's tag."""
        return f"{_TAG}{self.namespace}.{self.release}"

    def deployed(self) -> dict[str, Any]:
        """Return the tag's content on a deployed version. Its `release` is the digest: stored tags have that name."""
        return {
            "state": DEPLOYED,
            "revision": self.revision,
            "release": self.release_digest,
            "at": self.at,
            "by": self.by,
        }

    def replacing(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tag's content on a version that this revision replaced; it was `earlier`."""
        return {
            **earlier,
            "state": REPLACED,
            "until": self.at,
            "replaced_by": {"revision": self.revision, "by": self.by},
        }


@dataclass(frozen=True)
class Recorded:
    """Versions that were tagged, as `view v3`.

    Attributes:
        deployed: Versions that are deployed now.
        replaced: Versions that were deployed until now.
        unknown: Deployed versions that are no longer registered.
    """

    deployed: tuple[str, ...]
    replaced: tuple[str, ...]
    unknown: tuple[str, ...]


def deployments_of(tags: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the deployment tags of a version, by namespace and release.

    A tag that cannot be read counts as deployed, so that `prune` keeps the version.
    """
    deployments = {}
    for tag, value in tags.items():
        if tag.startswith(_TAG):
            namespace, _, release = tag.removeprefix(_TAG).partition(".")
            deployments[namespace, release] = _read(value)
    return deployments


def _read(value: str) -> dict[str, Any]:
    try:
        content = json.loads(value)
    except ValueError:
        content = None
    known = isinstance(content, dict) and content.get("state") in {DEPLOYED, REPLACED}
    return content if known else {"state": DEPLOYED}


def record_deployed(
    fleet: Fleet, deployment: Deployment, versions: Mapping[str, str], *, progress: Progress = SILENT
) -> Recorded:
    """Tag the deployed versions, and the versions that they replaced.

    Existing tags are read first, so it may be repeated: the next deployment completes what a killed deployer left.

    Args:
        fleet: The fleet.
        deployment: The revision.
        versions: Deployed version by skill; none: the release was removed.
        progress: Receives progress updates while the server is waited for.

    Raises:
        TransientError: the tracking server stays unavailable longer than the retries last.
    """
    tracking = tracking_of(fleet)
    client = open_client(tracking, progress)
    versions = {fleet.renamed.get(skill, skill): number for skill, number in versions.items()}  # of an earlier revision

    def record() -> Recorded:
        models = read_skill_models(client, fleet)
        unknown = tuple(
            f"{skill} v{number}"
            for skill, number in versions.items()
            if skill not in models or number not in models[skill].versions
        )
        replaced = tuple(_mark_replaced(client, models, deployment, versions))  # first: never two that are deployed
        return Recorded(tuple(_mark_deployed(client, models, deployment, versions)), replaced, unknown)

    with translated(tracking), tracking.exclusive():
        return retry_transient(client, record)


def _mark_replaced(
    client: TrackingClient, models: Mapping[str, Model], deployment: Deployment, versions: Mapping[str, str]
) -> Iterator[str]:
    for skill, model in models.items():
        for number, version in model.versions.items():
            if number == versions.get(skill) or deployment.tag not in version.tags:
                continue
            earlier = _read(version.tags[deployment.tag])
            if earlier["state"] == DEPLOYED:
                content = json.dumps(deployment.replacing(earlier))
                client.set_model_version_tag(model.name, number, deployment.tag, content)
                yield f"{skill} v{number}"


def _mark_deployed(
    client: TrackingClient, models: Mapping[str, Model], deployment: Deployment, versions: Mapping[str, str]
) -> Iterator[str]:
    content = deployment.deployed()
    for skill, number in versions.items():
        version = models[skill].versions.get(number) if skill in models else None
        if version is None:
            continue
        present = _read(version.tags.get(deployment.tag, "null"))
        same = all(present.get(name) == content[name] for name in ("state", "revision", "release"))
        if not same:
            client.set_model_version_tag(models[skill].name, number, deployment.tag, json.dumps(content))
        yield f"{skill} v{number}"
