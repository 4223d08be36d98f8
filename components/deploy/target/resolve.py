"""From aliases to exact versions and digests, once: what a release is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.bundling import choose, describe, require_heads
from coachworks.models.champions import Champion
from coachworks.models.manifest import Manifest
from coachworks.store import Store
from coachworks.tracking import CHAMPION, Tracking, TrackingClient, translated
from coachworks.tracking.registry import Version, model_name
from coachworks.tracking.tags import HEAD_DIGEST
from components.deploy.models.approval import missing


@dataclass(frozen=True)
class Resolved:
    """What is released.

    Attributes:
        manifest: Every skill's exact version and digest; None where all that could be released awaits approval.
        awaiting: Critical skills whose new version waits for approval, each with what to do; the version that answers
            now stays, if there is one.
        left_out: Skills that are not released, each with the reason.
    """

    manifest: Manifest | None
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]


def resolve(
    fleet: Fleet,
    store: Store,
    client: TrackingClient,
    tracking: Tracking,
    *,
    pinned: Mapping[str, str] | None = None,
    released: Mapping[str, Any] | None = None,
) -> Resolved:
    """The versions to release: those that the alias `champion` names, unless `pinned` names others.

    Args:
        fleet: The fleet, located.
        store: Where the heads are.
        client: MLflow's client.
        tracking: Its server.
        pinned: Versions by skill, in place of the champions.
        released: The chart's values of the present release; None where there is none.

    Raises:
        NotFoundError: a pinned version does not exist.
        DataError: no skill can be released, or one that answers now would be lost.
    """
    pinned = pinned or {}
    champions: dict[str, Champion] = {}
    named: dict[str, Version] = {}
    left_out: dict[str, str] = {}
    with translated(tracking):
        for skill in fleet.spec.skills:
            found = _named_version(client, model_name(fleet, skill), pinned.get(skill))
            if isinstance(found, str):
                left_out[skill] = found
            else:
                named[skill] = found
                champions[skill] = Champion(version=found.number, head_digest=found.tags[HEAD_DIGEST])
    answering = _answering(released or {})
    awaiting = missing(fleet, named)
    for skill in awaiting:
        if skill in answering:
            champions[skill] = answering[skill]
        else:
            del champions[skill]
            left_out[skill] = awaiting[skill]
    usable, lost = require_heads(store, champions)
    left_out |= lost
    if not usable and awaiting:
        return Resolved(None, awaiting, left_out)
    if not usable:
        reasons = "\n".join(f"  {skill}: {reason}" for skill, reason in left_out.items())
        raise DataError(f"no skill of the fleet can be released:\n{reasons}")
    choice = choose(store, usable)
    left_out |= choice.left_out
    silenced = [skill for skill in answering if skill in fleet.spec.skills and skill in left_out]
    if silenced:
        reasons = "\n".join(f"  {skill}: {left_out[skill]}" for skill in silenced)
        raise DataError(
            f"these skills answer now and would no longer:\n{reasons}\nMend that, or remove them from the fleet file."
        )
    return Resolved(describe(store, fleet, choice), awaiting, left_out)


def _answering(released: Mapping[str, Any]) -> dict[str, Champion]:
    return {
        skill: Champion(version=str(entry["model"]["version"]), head_digest=str(entry["model"]["head_sha256"]))
        for skill, entry in released.get("skills", {}).items()
    }


def _named_version(client: TrackingClient, model: str, pinned: str | None) -> Version | str:
    """The version to release, or why there is none."""
    from mlflow.exceptions import MlflowException

    try:
        aliases = client.get_registered_model(model).aliases
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return f"no model {model!r} is registered. Run the pipeline: `coachworks run`."
    number = pinned or aliases.get(CHAMPION)
    if number is None:
        return f"no version of {model!r} has the alias `champion`. See its versions in MLflow."
    try:
        version = client.get_model_version(model, str(number))
    except MlflowException as err:
        if err.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        raise NotFoundError(f"{model!r} has no version {number!r}. `coachworks mlflow` shows its versions.") from err
    tags = dict(version.tags)
    if HEAD_DIGEST not in tags:
        return f"version {number} of {model!r} was not registered by coachworks: it lacks the tag {HEAD_DIGEST!r}."
    return Version(str(version.version), tags, version.run_id)
