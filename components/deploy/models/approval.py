"""Approval of a model version by a person, which critical skills need before they are deployed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.comparison import Comparison
from coachworks.progress import SILENT, Progress
from coachworks.store import open_store
from coachworks.tracking import TrackingClient, open_client, retry_transient, tracking_of, translated, version_page
from coachworks.tracking.registry import Model, Version, read_skill_model
from coachworks.tracking.tags import BALANCED_ACCURACY, COMPARISON, HEAD_DIGEST, REASON
from coachworks.wording import pipeline_command
from components.register.latest_outcome import why_not_registered

BY, AT, NOTE = "coachworks.approved_by", "coachworks.approved_at", "coachworks.approved_note"
DIGEST = "coachworks.approved_digest"  # set last, removed first: an approval is valid only with it
REVOKED = "coachworks.approval_revoked"  # JSON: who revoked the last approval, when, and whose it was
_SHORT = 12  # digits of a digest in a message
_LONGEST_NAME, _LONGEST_NOTE = 200, 4000  # characters


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Approval of a version.

    Attributes:
        by: Name of the person.
        at: Time, ISO 8601, UTC.
        digest: SHA-256 of the head that was registered then.
        note: Remark of the person.
    """

    by: str
    at: str
    digest: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ApprovedVersion:
    """Version that was approved, with the facts for the person to see.

    Attributes:
        model: Name of the registered model.
        version: The version.
        approval: The approval.
        required: Whether a deployment requires it: the skill is critical.
        facts: Facts about the version: name and value.
        page: Address of its page in MLflow; None where MLflow is embedded.
    """

    model: str
    version: str
    approval: Approval
    required: bool
    facts: Mapping[str, str]
    page: str | None


def approval_of(tags: Mapping[str, str]) -> Approval | None:
    """Read the approval in a version's tags, whatever the digest of its head is now."""
    if not tags.get(DIGEST):
        return None
    return Approval(by=tags.get(BY, "?"), at=tags.get(AT, "?"), digest=tags[DIGEST], note=tags.get(NOTE, ""))


def missing_approvals(fleet: Fleet, versions: Mapping[str, Version]) -> dict[str, str]:
    """Return the critical skills whose version is not approved, each with the reason and what to do.

    Args:
        fleet: The fleet, with the tier of each skill.
        versions: Version to deploy by skill, with its tags.
    """
    reasons = {}
    for skill, version in versions.items():
        if fleet.skill(skill).tier != "critical":
            continue
        approval, digest = approval_of(version.tags), version.tags.get(HEAD_DIGEST, "")
        way_out = f"Look at it, then `coachworks approve {skill} {version.number}`."
        if approval is None:
            reasons[skill] = f"{skill!r} is critical, and its version {version.number} is not approved. {way_out}"
        elif approval.digest != digest:
            reasons[skill] = (
                f"{skill!r} is critical, and {approval.by} approved another head as version {version.number}: "
                f"{approval.digest[:_SHORT]}, where {digest[:_SHORT] or 'none'} is to be deployed. {way_out}"
            )
    return reasons


def approve(
    fleet: Fleet, skill: str, version: str, *, by: str, note: str = "", progress: Progress = SILENT
) -> ApprovedVersion:
    """Record in MLflow that a person approves a version.

    Args:
        fleet: The fleet, located.
        skill: One of its skills.
        version: Number of a version of the skill's registered model.
        by: Name of the person.
        note: Remark of the person.
        progress: Receives progress updates while the server is waited for.

    Raises:
        InvalidConfigError: the fleet has no such skill, `version` is not a number, or `by` is not a name.
        NotFoundError: there is no such version.
        DataError: the version lacks the digest of its head.
    """
    tracking, by, note = tracking_of(fleet), _name(by), _note(note)
    client = open_client(tracking, progress)

    def record() -> tuple[Version, Model, Approval]:
        model = _known_model(client, fleet, skill)
        registered = _known_version(model, version)
        digest = registered.tags.get(HEAD_DIGEST, "")
        if len(digest) != 64:
            raise DataError(
                f"version {registered.number} of {model.name!r} must have the digest of its head in the tag "
                f"{HEAD_DIGEST!r}; got {digest!r}. Only versions that the pipeline registered can be approved "
                "and deployed."
            )
        approval = Approval(by=by, at=_now(), digest=digest, note=note)
        for tag, value in ((BY, by), (AT, approval.at), (NOTE, note), (DIGEST, digest)):
            if value:
                client.set_model_version_tag(model.name, registered.number, tag, value)
            elif tag in registered.tags:
                client.delete_model_version_tag(model.name, registered.number, tag)
        return registered, model, approval

    with translated(tracking), tracking.exclusive():
        registered, model, approval = retry_transient(client, record)
        facts = _facts(client, model, registered)
    return ApprovedVersion(
        model=model.name,
        version=registered.number,
        approval=approval,
        required=fleet.skill(skill).tier == "critical",
        facts=facts,
        page=f"{tracking.public}{version_page(model.name, registered.number)}" if tracking.database is None else None,
    )


def revoke(
    fleet: Fleet, skill: str, version: str, *, by: str, note: str = "", progress: Progress = SILENT
) -> Approval | None:
    """Revoke an approval and record who did. Deployed versions stay deployed.

    The arguments and errors are those of `approve`.

    Returns:
        The approval that was revoked; None where there was none.
    """
    tracking, by, note = tracking_of(fleet), _name(by), _note(note)
    client = open_client(tracking, progress)
    with translated(tracking), tracking.exclusive():
        model = _known_model(client, fleet, skill)
        registered = _known_version(model, version)
        approval = approval_of(registered.tags)
        remove = partial(client.delete_model_version_tag, model.name, registered.number)
        if approval is not None:
            content = {"by": by, "at": _now(), "note": note, "approved_by": approval.by, "approved_at": approval.at}
            client.set_model_version_tag(model.name, registered.number, REVOKED, json.dumps(content))
        for tag in (tag for tag in (DIGEST, BY, AT, NOTE) if tag in registered.tags):
            remove(tag)
    return approval


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _name(by: str) -> str:
    by = " ".join(by.split())
    if not by or len(by) > _LONGEST_NAME or not by.isprintable():
        raise InvalidConfigError(
            f"by must be the name of the person who approves, of at most {_LONGEST_NAME} characters; got {by[:40]!r}. "
            "Set it with `--by`."
        )
    return by


def _note(note: str) -> str:
    note = note.strip()
    if len(note) > _LONGEST_NOTE:
        raise InvalidConfigError(f"note must have at most {_LONGEST_NOTE} characters; got {len(note)}")
    return note


def _known_model(client: TrackingClient, fleet: Fleet, skill: str) -> Model:
    if skill not in fleet.spec.skills:
        raise InvalidConfigError(
            f"skill must be one of the fleet {fleet.name!r}: {', '.join(fleet.spec.skills)}; got {skill!r}"
        )
    model = read_skill_model(client, fleet, skill)
    if model is None or not model.versions:
        raise NotFoundError(f"no version of {skill!r} is registered. {_why_not_registered(fleet, skill)}")
    return model


def _why_not_registered(fleet: Fleet, skill: str) -> str:
    try:
        return why_not_registered(open_store(fleet.spec.store), skill)
    except CoachworksError:  # who approves need not have access to the store
        command = pipeline_command(fleet.spec.store)
        return f"{command} registers what passes its gates; `coachworks status` shows its result."


def _known_version(model: Model, text: str) -> Version:
    number = text.strip().removeprefix("v")
    latest = ", ".join(f"{each}{_aliases(model, each)}" for each in list(model.versions)[-10:])
    if not number.isdecimal():
        current = model.aliases.get(text.strip())
        hint = f" {text.strip()!r} is version {current} now." if current else ""
        raise InvalidConfigError(
            f"version must be a number, since an alias may move; got {text!r}.{hint} The latest versions of "
            f"{model.name!r}: {latest}."
        )
    version = model.versions.get(str(int(number)))
    if version is None:
        raise NotFoundError(f"{model.name!r} has no version {number}. Its latest: {latest}.")
    return version


def _aliases(model: Model, number: str) -> str:
    names = sorted(alias for alias, version in model.aliases.items() if version == number)
    return f" ({', '.join(names)})" if names else ""


def _facts(client: TrackingClient, model: Model, version: Version) -> dict[str, str]:
    """Return the facts about a version: its accuracy, the gates that it passed, and its origin."""
    tags = version.tags
    facts = {"head": tags[HEAD_DIGEST][:_SHORT]}
    if tags.get(BALANCED_ACCURACY):
        with suppress(ValueError):  # changed by hand
            facts["balanced accuracy"] = f"{float(tags[BALANCED_ACCURACY]):.1%} on the test split"
    gates = _gates(client, version)
    if gates:
        facts["gates passed"] = gates
    aliases = _aliases(model, version.number).strip(" ()")
    if aliases:
        facts["alias"] = aliases
    if tags.get(REASON):
        facts["reason"] = tags[REASON]
    if tags.get(COMPARISON):
        with suppress(ValueError, TypeError):  # written by another version of coachworks
            facts["compared"] = Comparison(**json.loads(tags[COMPARISON])).sentence()
    for tag, name in (("backbone", "backbone"), ("run", "run"), ("commit", "commit"), ("code", "coachworks")):
        if tags.get(tag):
            facts[name] = tags[tag]
    return facts


def _gates(client: TrackingClient, version: Version) -> str:
    """Return the gates of a version's run, with their limits; a registered version has passed them."""
    if version.run_id is None:
        return ""
    from mlflow.exceptions import MlflowException

    try:
        params = client.get_run(version.run_id).data.params
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return ""  # the run was deleted; the version is not affected
    gates = {name.removeprefix("gate."): limit for name, limit in params.items() if name.startswith("gate.")}
    return ", ".join(f"{name} {limit}" for name, limit in sorted(gates.items()))
