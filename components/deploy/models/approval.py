"""Approval: a person has looked at a model version and says that it may be deployed; a critical skill needs that."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.comparison import Comparison
from coachworks.progress import SILENT, Progress
from coachworks.tracking import TrackingClient, open_client, retry_transient, tracking_of, translated, version_page
from coachworks.tracking.registry import Model, Version, model_name, read_model
from coachworks.tracking.tags import BALANCED_ACCURACY, COMPARISON, HEAD_DIGEST, REASON

BY, AT, NOTE = "coachworks.approved_by", "coachworks.approved_at", "coachworks.approved_note"
DIGEST = "coachworks.approved_digest"  # set last, removed first: with it, the approval is whole
REVOKED = "coachworks.approval_revoked"  # JSON: who took the last one back, when, and whose it was
_SHORT = 12
_LONGEST_NAME, _LONGEST_NOTE = 200, 4000


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Who approved a version, when, and which file that was.

    Attributes:
        by: Who.
        at: When, ISO 8601, UTC.
        digest: SHA-256 of the head, as it was registered then.
        note: What was said.
    """

    by: str
    at: str
    digest: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Approved:
    """What was approved, for a person to see.

    Attributes:
        model: Name of the registered model.
        version: The version.
        approval: The approval.
        needed: Whether a deployment asks for it: the skill is critical.
        facts: What is known of the version: what, and how much.
        page: Address of its page in MLflow; None where that is embedded.
    """

    model: str
    version: str
    approval: Approval
    needed: bool
    facts: Mapping[str, str]
    page: str | None


def approval_of(tags: Mapping[str, str]) -> Approval | None:
    """The approval that a version's tags tell of, whatever its digest is now."""
    if not tags.get(DIGEST):
        return None
    return Approval(by=tags.get(BY, "?"), at=tags.get(AT, "?"), digest=tags[DIGEST], note=tags.get(NOTE, ""))


def missing(fleet: Fleet, versions: Mapping[str, Version]) -> dict[str, str]:
    """Why critical skills must not be deployed yet, by skill.

    Args:
        fleet: Says which skills are critical.
        versions: By skill, the version that shall be deployed, with its tags.
    """
    reasons = {}
    for skill, version in versions.items():
        if fleet.skill(skill).tier != "critical":
            continue
        approval, digest = approval_of(version.tags), version.tags.get(HEAD_DIGEST, "")
        way_out = f"Look at it, then `coachworks approve {skill} {version.number}`."
        if approval is None:
            reasons[skill] = f"{skill!r} is critical, and nobody has approved its version {version.number}. {way_out}"
        elif approval.digest != digest:
            reasons[skill] = (
                f"{skill!r} is critical, and {approval.by} approved another head as version {version.number}: "
                f"{approval.digest[:_SHORT]}, where {digest[:_SHORT] or 'none'} is to be deployed. {way_out}"
            )
    return reasons


def approve(
    fleet: Fleet, skill: str, version: str, *, by: str, note: str = "", progress: Progress = SILENT
) -> Approved:
    """Record in MLflow that a person approves a version.

    Args:
        fleet: The fleet, located.
        skill: One of its skills.
        version: Number of a version of the skill's registered model.
        by: Who approves.
        note: What is to be said with it.
        progress: Is told where the server is waited for.

    Raises:
        InvalidConfigError: the skill is none of the fleet's, `version` is no number, or `by` is no name.
        NotFoundError: there is no such version.
        DataError: the version does not say which head it is.
    """
    tracking, by, note = tracking_of(fleet), _name(by), _note(note)
    client = open_client(tracking, progress)

    def record() -> tuple[Version, Model, Approval]:
        model = _known_model(client, fleet, skill)
        found = _known_version(model, version)
        digest = found.tags.get(HEAD_DIGEST, "")
        if len(digest) != 64:
            raise DataError(
                f"version {found.number} of {model.name!r} must say in its tag {HEAD_DIGEST!r} which head it is; got "
                f"{digest!r}. Only versions that `coachworks run` registered can be approved, and deployed."
            )
        approval = Approval(by=by, at=_now(), digest=digest, note=note)
        for tag, value in ((BY, by), (AT, approval.at), (NOTE, note), (DIGEST, digest)):
            if value:
                client.set_model_version_tag(model.name, found.number, tag, value)
            elif tag in found.tags:
                client.delete_model_version_tag(model.name, found.number, tag)
        return found, model, approval

    with translated(tracking), tracking.exclusive():
        found, model, approval = retry_transient(client, record)
        facts = _facts(client, model, found)
    return Approved(
        model=model.name,
        version=found.number,
        approval=approval,
        needed=fleet.skill(skill).tier == "critical",
        facts=facts,
        page=f"{tracking.public}{version_page(model.name, found.number)}" if tracking.database is None else None,
    )


def revoke(
    fleet: Fleet, skill: str, version: str, *, by: str, note: str = "", progress: Progress = SILENT
) -> Approval | None:
    """Take an approval back: who did is recorded. What is deployed stays deployed.

    Args:
        fleet: The fleet, located.
        skill: One of its skills.
        version: Number of a version of the skill's registered model.
        by: Who takes it back.
        note: What is to be said with it.
        progress: Is told where the server is waited for.

    Returns:
        The approval that was taken back; None where there was none.

    Raises:
        InvalidConfigError: the skill is none of the fleet's, `version` is no number, or `by` is no name.
        NotFoundError: there is no such version.
    """
    tracking, by, note = tracking_of(fleet), _name(by), _note(note)
    client = open_client(tracking, progress)
    with translated(tracking), tracking.exclusive():
        model = _known_model(client, fleet, skill)
        found = _known_version(model, version)
        approval = approval_of(found.tags)
        remove = partial(client.delete_model_version_tag, model.name, found.number)
        if approval is not None:
            told = {"by": by, "at": _now(), "note": note, "approved_by": approval.by, "approved_at": approval.at}
            client.set_model_version_tag(model.name, found.number, REVOKED, json.dumps(told))
        for tag in (tag for tag in (DIGEST, BY, AT, NOTE) if tag in found.tags):
            remove(tag)
    return approval


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _name(by: str) -> str:
    by = " ".join(by.split())
    if not by or len(by) > _LONGEST_NAME or not by.isprintable():
        raise InvalidConfigError(
            f"by must be the name of the person who approves, of at most {_LONGEST_NAME} letters; got {by[:40]!r}. "
            "Name yourself with `--by`."
        )
    return by


def _note(note: str) -> str:
    note = note.strip()
    if len(note) > _LONGEST_NOTE:
        raise InvalidConfigError(f"note must have at most {_LONGEST_NOTE} letters; got {len(note)}")
    return note


def _known_model(client: TrackingClient, fleet: Fleet, skill: str) -> Model:
    if skill not in fleet.spec.skills:
        raise InvalidConfigError(
            f"skill must be one of the fleet {fleet.name!r}: {', '.join(fleet.spec.skills)}; got {skill!r}"
        )
    model = read_model(client, model_name(fleet, skill))
    if model is None or not model.versions:
        raise NotFoundError(
            f"no version of {skill!r} is registered yet. `coachworks run` registers what passes its gates; "
            "`coachworks status` says how it went."
        )
    return model


def _known_version(model: Model, wanted: str) -> Version:
    number = wanted.strip().removeprefix("v")
    known = ", ".join(f"{each}{_called(model, each)}" for each in list(model.versions)[-10:])
    if not number.isdecimal():
        named = model.aliases.get(wanted.strip())
        hint = f" {wanted.strip()!r} is version {named} now." if named else ""
        raise InvalidConfigError(
            f"version must be a number, for an alias may move; got {wanted!r}.{hint} The latest versions of "
            f"{model.name!r}: {known}."
        )
    found = model.versions.get(str(int(number)))
    if found is None:
        raise NotFoundError(f"{model.name!r} has no version {number}. Its latest: {known}.")
    return found


def _called(model: Model, number: str) -> str:
    names = sorted(alias for alias, version in model.aliases.items() if version == number)
    return f" ({', '.join(names)})" if names else ""


def _facts(client: TrackingClient, model: Model, version: Version) -> dict[str, str]:
    """What a person should see of a version: how good it is, which gates it passed, how it came to be."""
    tags = version.tags
    facts = {"head": tags[HEAD_DIGEST][:_SHORT]}
    if tags.get(BALANCED_ACCURACY):
        with suppress(ValueError):  # somebody changed it by hand
            facts["balanced accuracy"] = f"{float(tags[BALANCED_ACCURACY]):.1%} on the test split"
    gates = _gates(client, version)
    if gates:
        facts["gates passed"] = gates
    aliases = _called(model, version.number).strip(" ()")
    if aliases:
        facts["alias"] = aliases
    if tags.get(REASON):
        facts["standing"] = tags[REASON]
    if tags.get(COMPARISON):
        with suppress(ValueError, TypeError):  # written by another release
            facts["compared"] = Comparison(**json.loads(tags[COMPARISON])).sentence()
    for tag, name in (("backbone", "backbone"), ("run", "run"), ("commit", "commit"), ("code", "coachworks")):
        if tags.get(tag):
            facts[name] = tags[tag]
    return facts


def _gates(client: TrackingClient, version: Version) -> str:
    """The gates of the run that a version comes from, with their limits; it was registered, so it passed them."""
    if version.run_id is None:
        return ""
    from mlflow.exceptions import MlflowException

    try:
        params = client.get_run(version.run_id).data.params
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return ""  # somebody deleted the run; the version is as good as before
    gates = {name.removeprefix("gate."): limit for name, limit in params.items() if name.startswith("gate.")}
    return ", ".join(f"{name} {limit}" for name, limit in sorted(gates.items()))
