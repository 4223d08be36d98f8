"""Values of charts/fleet: typed, and written from the fleet file and the exact versions to deploy."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from coachworks.digests import digest_json
from coachworks.errors import DataError, InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.fleet.skill import Serving
from coachworks.models.manifest import Manifest
from coachworks.wording import first_problem

Json = dict[str, Any]
Layout = Literal["shared", "dedicated"]
Traffic = Literal["stable", "all", "none"]  # tracks that the Services select

PORT = 8080  # of a skill's Service, where the fleet file names none
SHARED: Layout = "shared"  # layout of a skill, and the name of the group of pods that such skills share
DEDICATED: Layout = "dedicated"
# Keys of a skill that the chart accepts only where the skill has pods of its own.
_OWN_PODS = ("replicas", "cpu", "memory", "environment", "image")
# Keys that say how far a rollout is, not what is deployed: they are not part of the digest.
_NOT_DIGESTED = {"releaseDigest", "traffic", "canary"}


class _Values(BaseModel):
    """Part of the values; keys that are only passed on to the chart are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)

    def to_json(self) -> Json:
        """Return the values as the chart takes them, without keys that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class HeadValues(BaseModel):
    """`skills.NAME.model`: the skill's entry in the bundle's manifest."""

    model_config = ConfigDict(frozen=True, extra="allow")

    version: str
    head_sha256: str


class SkillValues(_Values):
    """`skills.NAME`."""

    model: HeadValues
    layout: Layout = SHARED
    moving: Layout | Literal[""] = ""
    port: int = PORT
    service_name: str = ""
    was: str = ""


class CanaryValues(_Values):
    """`canary`: groups with canary pods, pods of each, and the values that these pods are made from."""

    groups: list[str] = []
    replicas: dict[str, int] = {}
    values: Json = {}


class FleetValues(_Values):
    """Values of a revision: all that decides which models are deployed, how, and how far a rollout is."""

    fleet: str = ""
    release_digest: str = ""
    traffic: Traffic = "stable"
    canary: CanaryValues | None = None
    skills: dict[str, SkillValues] = {}

    @property
    def versions(self) -> dict[str, str]:
        """Version of the deployed model, by skill."""
        return {name: skill.model.version for name, skill in self.skills.items()}

    @property
    def layouts(self) -> dict[str, str]:
        """Layout of the pods that each skill's Service selects: `shared` or `dedicated`."""
        return {name: skill.layout for name, skill in self.skills.items()}

    def group_of(self, skill: str) -> str:
        """Return the group of pods that a skill's Service selects: `shared`, or the skill's own."""
        return SHARED if self.skills[skill].layout == SHARED else skill

    @property
    def groups(self) -> dict[str, list[str]]:
        """Skills by the group of pods that their Services select."""
        groups: dict[str, list[str]] = {}
        for skill in self.skills:
            groups.setdefault(self.group_of(skill), []).append(skill)
        return groups

    def service_of(self, skill: str) -> str:
        """Return the name of a skill's Service."""
        return self.skills[skill].service_name or skill

    @property
    def complete(self) -> bool:
        """True if no rollout is in progress: no canary, no skill that moves, Services select the stable pods."""
        return (
            not (self.canary and self.canary.groups)
            and self.traffic == "stable"
            and not any(skill.moving for skill in self.skills.values())
        )

    def with_digest(self) -> Self:
        """Return the values with the digest of all that is deployed."""
        content = {key: value for key, value in self.to_json().items() if key not in _NOT_DIGESTED}
        return self.model_copy(update={"release_digest": digest_json(content)[:12]})

    def with_traffic(self, traffic: Traffic) -> Self:
        """Return the values with Services that select other tracks."""
        return self.model_copy(update={"traffic": traffic})


def read_values(document: Mapping[str, Any]) -> FleetValues:
    """Read the values of a revision, as Helm returns them.

    Raises:
        DataError: they are not values of charts/fleet.
    """
    values = {key: _normalized(value) for key, value in document.items()}
    if "release" in values:  # its name in revisions of coachworks 0.1.0 before the chart called it releaseDigest
        values.setdefault("releaseDigest", values.pop("release"))
    try:
        return FleetValues.model_validate(values)
    except ValidationError as err:
        raise DataError(
            f"the values of a revision must be those of charts/fleet: {first_problem(err)}. Is the Helm release "
            "one of `coachworks deploy`? Set another name under `spec.deploy.release`."
        ) from err


def _normalized(value: Any) -> Any:
    """Return a value as Helm returns it, so that its digest stays the same: `1.0` comes back as `1`."""
    if isinstance(value, Mapping):
        return {key: _normalized(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_normalized(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def chart_values(fleet: Fleet, manifest: Manifest, *, image: str, model_image: bool = False) -> FleetValues:
    """Return the values that deploy `manifest`.

    Args:
        fleet: The fleet, located.
        manifest: The exact versions and digests.
        image: Image of the pods.
        model_image: Whether that image holds the models; else pods fetch them from the store.

    Raises:
        InvalidConfigError: pods cannot reach the store.
    """
    deploy = fleet.spec.deploy
    values: Json = {
        **deploy.values,
        "fleet": fleet.name,
        "image": image_values(image),
        "imagePullSecrets": list(deploy.image_pull_secrets),
        "models": {"source": "image"} if model_image else _store_values(fleet),
        "backbone": manifest.backbone.model_dump(mode="json"),
        "skills": {name: _skill_values(fleet, manifest, name) for name in manifest.skills},
        "shared": {**deploy.values.get("shared", {}), **_pod_values(fleet.spec.defaults.serving)},
    }
    if deploy.autoscaling is not None:
        values["autoscaling"] = {"enabled": True, **deploy.autoscaling.model_dump(by_alias=True)}
    if deploy.priority_class is not None:
        values["priorityClassName"] = deploy.priority_class
    return read_values(values).with_digest()


def image_values(image: str) -> dict[str, str]:
    """Split an image's name as the chart takes it.

    >>> image_values("ghcr.io/acme/serving:1.2")
    {'repository': 'ghcr.io/acme/serving', 'tag': '1.2'}
    >>> image_values("localhost:5000/serving@sha256:0f")
    {'repository': 'localhost:5000/serving', 'digest': 'sha256:0f'}
    """
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    values = {"repository": f"{folder}{slash}{last}"}
    return values | ({"tag": tag} if colon else {}) | ({"digest": digest} if at else {})


def _store_values(fleet: Fleet) -> Json:
    spec = fleet.spec
    if not spec.store.startswith("s3://"):
        raise InvalidConfigError(
            f"pods fetch the models from a store that they can reach, `spec.store: s3://bucket/prefix`; got "
            f"{spec.store!r}. Or deploy an image that holds them: `coachworks deploy --image NAME`."
        )
    sources = spec.cluster.environment if spec.deploy.environment is None else spec.deploy.environment
    values: Json = {
        "source": "store",
        "store": spec.store,
        "environment": [
            {"secret": source.secret} if source.secret else {"configMap": source.config_map} for source in sources
        ],
    }
    authority = spec.deploy.certificate_authority
    if authority is not None:
        values["certificateAuthority"] = authority.model_dump(by_alias=True, exclude_none=True)
    return values


def _skill_values(fleet: Fleet, manifest: Manifest, name: str) -> Json:
    serving, head = fleet.serving(name), manifest.skills[name]
    entry: Json = {
        "layout": serving.layout,
        "port": serving.port or PORT,
        "serviceName": fleet.service_name(name),
        "run": str(head.provenance.get("run") or head.provenance.get("evaluate") or ""),
        "model": head.model_dump(mode="json"),
    }
    if was := fleet.spec.skills[name].was:
        entry["was"] = was
    if serving.layout != SHARED:
        entry |= _pod_values(serving)
        if serving.image is not None:
            entry["image"] = image_values(serving.image)
    return {**fleet.spec.deploy.skills.get(name, {}), **entry}


def _pod_values(serving: Serving) -> Json:
    values = {"replicas": serving.replicas, "cpu": serving.cpu, "memory": serving.memory}
    return values | ({"environment": dict(serving.environment)} if serving.environment else {})


def with_layouts(old: FleetValues, new: FleetValues) -> tuple[FleetValues, FleetValues] | None:
    """Return the two revisions that move skills between shared pods and their own; models and all else stay.

    The first one adds the new pods; the second one switches the Services to them and removes the pods they left.

    Args:
        old: Values of the release, complete.
        new: Values to deploy.

    Returns:
        Values of both revisions, or None where no skill moves.
    """
    moving = sorted(name for name in old.skills if name in new.skills and old.layouts[name] != new.layouts[name])
    if not moving:
        return None
    document, target = old.to_json(), new.to_json()
    added, switched = dict(document["skills"]), dict(document["skills"])
    for name in moving:
        entry, moved = document["skills"][name], target["skills"][name]
        own_pods = {key: moved[key] for key in moved if key in _OWN_PODS or key not in entry}
        common = {key: value for key, value in entry.items() if key not in _OWN_PODS}
        if new.layouts[name] == SHARED:
            added[name] = {**entry, "moving": SHARED}
            switched[name] = {**common, "layout": SHARED}
        else:
            added[name] = {**common, **own_pods, "moving": DEDICATED}
            switched[name] = {**common, **own_pods, "layout": DEDICATED}
    # Settings of the shared pods change later, behind a canary; where no pods are shared yet, they are the new ones.
    shared = document if SHARED in old.layouts.values() else target
    frame = {**document, "shared": shared.get("shared", {}), "traffic": "stable"}
    first, second = (read_values({**frame, "skills": skills}).with_digest() for skills in (added, switched))
    return first, second


def with_canary(
    stable: FleetValues, canary: FleetValues | None, replicas: Mapping[str, int], traffic: Traffic
) -> FleetValues:
    """Return the values of a release with canary pods.

    Args:
        stable: Values of the stable pods.
        canary: Values that the canary pods are made from; None: those of the stable pods.
        replicas: Canary pods by group.
        traffic: Tracks that the Services select: `stable` or `all`.
    """
    document = canary.to_json() if canary is not None else {}
    own = {key: value for key, value in document.items() if key not in {"releaseDigest", "traffic", "fleet"}}
    return stable.model_copy(
        update={
            "traffic": traffic,
            "canary": CanaryValues(groups=sorted(replicas), replicas=dict(replicas), values=own),
        }
    )
