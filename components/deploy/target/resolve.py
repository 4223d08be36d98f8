"""Resolution of aliases to exact versions and digests: the versions of a deployment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coachworks.errors import DataError, NotFoundError, TransientError
from coachworks.fleet.model import Fleet
from coachworks.models.bundling import BundleContent, choose_content, describe, read_heads
from coachworks.models.champions import HeadVersion
from coachworks.models.manifest import Manifest
from coachworks.store import Store
from coachworks.tracking import Tracking, TrackingClient, translated
from coachworks.tracking.registry import Model, Version, model_name, read_skill_models
from coachworks.tracking.tags import HEAD_DIGEST
from components.deploy.models.approval import missing_approvals
from components.deploy.target.values import FleetValues
from components.register.latest_outcome import why_not_registered


@dataclass(frozen=True)
class ResolvedVersions:
    """Versions of a deployment.

    Attributes:
        manifest: Every skill's exact version and digest; None where every version awaits approval.
        awaiting: Critical skills whose new version awaits approval, each with what to do; they keep their deployed
            version, if there is one.
        left_out: Skills that are not deployed, each with the reason.
        content: The heads of `manifest` and their backbone; None likewise.
    """

    manifest: Manifest | None
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]
    content: BundleContent | None = None


def resolve_versions(
    fleet: Fleet,
    store: Store,
    client: TrackingClient,
    tracking: Tracking,
    *,
    pinned: Mapping[str, str] | None = None,
    deployed: FleetValues | None = None,
) -> ResolvedVersions:
    """Resolve the versions to deploy: those with the alias `champion`, unless `pinned` names others.

    The registry is read by one paged search for models and one for versions, each head's manifest once.

    Args:
        fleet: The fleet, located.
        store: The store with the heads.
        client: MLflow's client.
        tracking: Its server.
        pinned: Versions by skill, in place of the champions.
        deployed: Values of the deployed release; None where nothing is deployed.

    Raises:
        NotFoundError: a pinned version does not exist.
        DataError: no skill can be deployed.
    """
    with translated(tracking):
        models = read_skill_models(client, fleet)
    versions, left_out = _registered_versions(fleet, store, models, pinned or {})
    heads = {
        skill: HeadVersion(version=version.number, head_digest=version.tags[HEAD_DIGEST])
        for skill, version in versions.items()
    }
    awaiting = missing_approvals(fleet, versions)
    kept = _deployed_heads(fleet, deployed)
    for skill, reason in awaiting.items():
        if skill in kept:
            heads[skill] = kept[skill]
        else:
            del heads[skill]
            left_out[skill] = reason
    stored, lost = read_heads(store, heads)
    left_out |= lost
    if not stored and awaiting:
        return ResolvedVersions(None, awaiting, left_out)
    if not stored:
        raise DataError(f"no skill of the fleet can be deployed:\n{_listed(left_out, left_out)}")
    content = choose_content(stored)
    left_out |= content.left_out
    return ResolvedVersions(describe(store, fleet, content), awaiting, left_out, content)


def _registered_versions(
    fleet: Fleet, store: Store, models: Mapping[str, Model], pinned: Mapping[str, str]
) -> tuple[dict[str, Version], dict[str, str]]:
    """Return the version to deploy by skill, and the reason why each of the other skills has none."""
    versions: dict[str, Version] = {}
    missing: dict[str, str] = {}
    for skill in fleet.spec.skills:
        model = models.get(skill)
        if model is None or not model.versions:
            missing[skill] = f"no model {model_name(fleet, skill)!r} is registered. {why_not_registered(store, skill)}"
            continue
        version = _registered_version(model, pinned.get(skill))
        if isinstance(version, str):
            missing[skill] = version
        else:
            versions[skill] = version
    return versions, missing


def _registered_version(model: Model, pinned: str | None) -> Version | str:
    """Return the version to deploy, or the reason why there is none."""
    name = model.name
    number = pinned or model.champion
    if number is None:
        return f"no version of {name!r} has the alias `champion`. See its versions in MLflow."
    version = model.versions.get(number)
    if version is None and pinned is None:
        raise TransientError(f"{name!r} changed while it was read. Run again.")
    if version is None:
        raise NotFoundError(f"{name!r} has no version {number!r}. `coachworks mlflow` shows its versions.")
    if HEAD_DIGEST not in version.tags:
        return f"version {number} of {name!r} was not registered by coachworks: it lacks the tag {HEAD_DIGEST!r}."
    return version


def _deployed_heads(fleet: Fleet, deployed: FleetValues | None) -> dict[str, HeadVersion]:
    """Return the deployed heads by skill, those of renamed skills under the present name."""
    return {
        fleet.renamed.get(name, name): HeadVersion(version=skill.model.version, head_digest=skill.model.head_sha256)
        for name, skill in (deployed.skills.items() if deployed is not None else ())
    }


def _listed(skills: Iterable[str], reasons: Mapping[str, str]) -> str:
    return "\n".join(f"  {skill}: {reasons[skill]}" for skill in skills)
