"""What is deployed where, as tags on the model versions in MLflow: for people who look there, and for `prune`.

One tag per release, `coachworks.deployed.<namespace>.<release>`, JSON: `state` is `stable` on the versions that answer,
`replaced` on those that did.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.tracking import TrackingClient, open_client, retry_transient, tracking_of, translated
from coachworks.tracking.registry import Model, read_models

STABLE, REPLACED = "stable", "replaced"
_TAG = "coachworks.deployed."


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A revision of a Helm release.

    Attributes:
        namespace: Where it is.
        name: The release's name.
        revision: Number of the revision.
        release: Digest of what is released, 12 hexadecimal digits.
        at: When, ISO 8601, UTC.
        by: Who deployed it.
    """

    namespace: str
    name: str
    revision: int
    release: str
    at: str
    by: str

    @property
    def tag(self) -> str:
        """The tag that tells of it."""
        return f"{_TAG}{self.namespace}.{self.name}"

    def stable(self) -> dict[str, Any]:
        """What the tag says on a version that answers."""
        facts = {name: value for name, value in asdict(self).items() if name not in {"namespace", "name"}}
        return {"state": STABLE, **facts}

    def replacing(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """What the tag says on a version that this revision replaced; it said `earlier`."""
        return {
            **earlier,
            "state": REPLACED,
            "until": self.at,
            "replaced_by": {"revision": self.revision, "by": self.by},
        }


@dataclass(frozen=True)
class Recorded:
    """What was recorded, as `view v3`.

    Attributes:
        stable: Versions that are deployed now.
        replaced: Versions that were, until now.
        unknown: Deployed versions that MLflow no longer holds.
    """

    stable: tuple[str, ...]
    replaced: tuple[str, ...]
    unknown: tuple[str, ...]


def deployments_of(tags: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a version's tags say of its deployments, by namespace and release.

    A tag that cannot be read counts as `stable`: nobody should think that the version is not in use.
    """
    found = {}
    for tag, value in tags.items():
        if tag.startswith(_TAG):
            namespace, _, release = tag.removeprefix(_TAG).partition(".")
            found[namespace, release] = _read(value)
    return found


def _read(value: str) -> dict[str, Any]:
    try:
        told = json.loads(value)
    except ValueError:
        told = None
    return told if isinstance(told, dict) and told.get("state") in {STABLE, REPLACED} else {"state": STABLE}


def record_deployed(
    fleet: Fleet, deployment: Deployment, versions: Mapping[str, str], *, progress: Progress = SILENT
) -> Recorded:
    """Say on each version that it is deployed, and on those that it replaced that they were.

    It asks what is there first, so it may be repeated; what a killed deployer left unsaid is said the next time.

    Args:
        fleet: The fleet.
        deployment: The revision.
        versions: Version by skill, of all that the release answers; none: the release is gone.
        progress: Is told where the server is waited for.

    Raises:
        TransientError: the tracking server stays away longer than patience lasts.
    """
    tracking = tracking_of(fleet)
    client = open_client(tracking, progress)

    def record() -> Recorded:
        models = {model.skill: model for model in read_models(client, fleet)}
        unknown = tuple(
            f"{skill} v{number}"
            for skill, number in versions.items()
            if skill not in models or number not in models[skill].versions
        )
        replaced = tuple(_mark_replaced(client, models, deployment, versions))  # first: never two that answer
        return Recorded(tuple(_mark_stable(client, models, deployment, versions)), replaced, unknown)

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
            if earlier["state"] == STABLE:
                told = json.dumps(deployment.replacing(earlier))
                client.set_model_version_tag(model.name, number, deployment.tag, told)
                yield f"{skill} v{number}"


def _mark_stable(
    client: TrackingClient, models: Mapping[str, Model], deployment: Deployment, versions: Mapping[str, str]
) -> Iterator[str]:
    told = deployment.stable()
    for skill, number in versions.items():
        version = models[skill].versions.get(number) if skill in models else None
        if version is None:
            continue
        said = _read(version.tags.get(deployment.tag, "null"))
        same = all(said.get(name) == told[name] for name in ("state", "revision", "release"))
        if not same:
            client.set_model_version_tag(models[skill].name, number, deployment.tag, json.dumps(told))
        yield f"{skill} v{number}"
