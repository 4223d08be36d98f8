"""The chart's values, from the fleet file and the exact versions that are released."""

from collections.abc import Mapping
from typing import Any

from coachworks.digests import digest_json
from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet, Serving
from coachworks.models.manifest import Manifest

Values = dict[str, Any]

PORT = 8080  # of a skill's Service, where the fleet file names none
SHARED = "shared"
# What a skill's entry may hold only where it has pods of its own.
_OWN_PODS = ("replicas", "cpu", "memory", "environment", "image")


def chart_values(fleet: Fleet, manifest: Manifest, *, image: str, baked: bool = False) -> Values:
    """The values of a release of `manifest`, as `charts/fleet` takes them.

    Args:
        fleet: The fleet, located.
        manifest: The exact versions and digests.
        image: Image of the pods.
        baked: Whether the models are in that image; else pods fetch them from the store.

    Raises:
        InvalidConfigError: pods cannot reach the store.
    """
    deploy, common = fleet.spec.deploy, fleet.spec.defaults.serving
    values: Values = {
        **deploy.values,
        "fleet": fleet.name,
        "image": image_values(image),
        "imagePullSecrets": list(deploy.image_pull_secrets),
        "models": {"source": "image"} if baked else _store(fleet),
        "backbone": manifest.backbone.model_dump(mode="json"),
        "skills": {name: _skill(fleet, manifest, name) for name in manifest.skills},
        "shared": {**deploy.values.get("shared", {}), **_pods(common)},
    }
    if deploy.autoscaling is not None:
        values["autoscaling"] = {"enabled": True, **deploy.autoscaling.model_dump(by_alias=True)}
    if deploy.priority_class is not None:
        values["priorityClassName"] = deploy.priority_class
    return _named(values)


def image_values(image: str) -> dict[str, str]:
    """An image's name as the chart takes it.

    >>> image_values("ghcr.io/acme/serving:1.2")
    {'repository': 'ghcr.io/acme/serving', 'tag': '1.2'}
    >>> image_values("localhost:5000/serving@sha256:0f")
    {'repository': 'localhost:5000/serving', 'digest': 'sha256:0f'}
    """
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    told = {"repository": f"{folder}{slash}{last}"}
    return told | ({"tag": tag} if colon else {}) | ({"digest": digest} if at else {})


def _store(fleet: Fleet) -> Values:
    spec = fleet.spec
    if not spec.store.startswith("s3://"):
        raise InvalidConfigError(
            f"pods fetch the models from a store that they can reach, `spec.store: s3://bucket/prefix`; got "
            f"{spec.store!r}. Or deploy an image that holds them: `coachworks deploy --image NAME`."
        )
    named = spec.cluster.environment if spec.deploy.environment is None else spec.deploy.environment
    told: Values = {
        "source": "store",
        "store": spec.store,
        "environment": [
            {"secret": source.secret} if source.secret else {"configMap": source.config_map} for source in named
        ],
    }
    authority = spec.deploy.certificate_authority
    if authority is not None:
        told["certificateAuthority"] = authority.model_dump(by_alias=True, exclude_none=True)
    return told


def _skill(fleet: Fleet, manifest: Manifest, name: str) -> Values:
    serving, head = fleet.serving(name), manifest.skills[name]
    entry: Values = {
        "layout": serving.layout,
        "port": serving.port or PORT,
        "serviceName": serving.service_name or name,
        "run": str(head.provenance.get("run") or head.provenance.get("evaluate") or ""),
        "model": head.model_dump(mode="json"),
    }
    if serving.layout != SHARED:
        entry |= _pods(serving)
        if serving.image is not None:
            entry["image"] = image_values(serving.image)
    further = fleet.spec.deploy.skills.get(name, {})
    return {**further, **entry}


def _pods(serving: Serving) -> Values:
    told = {"replicas": serving.replicas, "cpu": serving.cpu, "memory": serving.memory}
    return told | ({"environment": dict(serving.environment)} if serving.environment else {})


def versions(values: Mapping[str, Any]) -> dict[str, str]:
    """The version of the model that answers each skill."""
    return {name: str(entry["model"]["version"]) for name, entry in values.get("skills", {}).items()}


def digests(values: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the head that answers each skill."""
    return {name: str(entry["model"]["head_sha256"]) for name, entry in values.get("skills", {}).items()}


def layouts(values: Mapping[str, Any]) -> dict[str, str]:
    """Where each skill's Service points: `shared` or `dedicated`."""
    return {name: str(entry.get("layout", SHARED)) for name, entry in values.get("skills", {}).items()}


def settled(values: Mapping[str, Any]) -> bool:
    """Whether nothing is under way: no canary, no skill that moves, Services on the stable pods."""
    return (
        not (values.get("canary") or {}).get("groups")
        and values.get("traffic", "stable") == "stable"
        and not any(entry.get("moving") for entry in values.get("skills", {}).values())
    )


def with_layouts(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Values, Values] | None:
    """The two revisions that move skills between shared pods and their own, models and all else unchanged.

    First the pods are added that will answer; then the Services are switched to them and what they left is removed.

    Args:
        old: The values of the release as it is.
        new: Those it will have.

    Returns:
        Both revisions' values, or None where no skill moves.
    """
    before, after = layouts(old), layouts(new)
    moving = sorted(name for name in before if after.get(name, before[name]) != before[name])
    if not moving:
        return None
    skills_added, skills_switched = dict(old["skills"]), dict(old["skills"])
    for name in moving:
        entry, target = old["skills"][name], new["skills"][name]
        own = {key: target[key] for key in target if key in _OWN_PODS or key not in entry}
        base = {key: value for key, value in entry.items() if key not in _OWN_PODS}
        if after[name] == SHARED:
            skills_added[name] = {**entry, "moving": SHARED}
            skills_switched[name] = {**base, "layout": SHARED}
        else:
            skills_added[name] = {**base, **own, "moving": "dedicated"}
            skills_switched[name] = {**base, **own, "layout": "dedicated"}
    shared = old if SHARED in before.values() else new
    frame = {**old, "shared": shared.get("shared", {}), "traffic": "stable"}
    return _named({**frame, "skills": skills_added}), _named({**frame, "skills": skills_switched})


def _named(values: Values) -> Values:
    values = _as_kept(values)
    told = {key: value for key, value in values.items() if key not in {"release", "traffic", "canary"}}
    return {**values, "release": digest_json(told)[:12]}


def _as_kept(value: Any) -> Any:
    """A value as Helm gives it back, so that its digest stays: `1.0` comes back as `1`."""
    if isinstance(value, Mapping):
        return {key: _as_kept(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_kept(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_canary(
    stable: Mapping[str, Any], canary: Mapping[str, Any] | None, replicas: Mapping[str, int], traffic: str
) -> Values:
    """The values of a release with canary pods.

    Args:
        stable: The values of the stable pods.
        canary: Those that the canary is made from; None: the same.
        replicas: Pods of each group's canary.
        traffic: Which tracks the Services select: `stable` or `all`.
    """
    own = {key: value for key, value in (canary or {}).items() if key not in {"release", "traffic", "fleet"}}
    return {
        **stable,
        "traffic": traffic,
        "canary": {"groups": sorted(replicas), "replicas": dict(replicas), "values": own},
    }
