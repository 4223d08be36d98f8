"""Removals: what a deployment would stop answering; refused unless a person allows it by name."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.wording import did_you_mean, joined
from components.deploy.cluster.state import GROUP, SKILL, VERSION, Json

_ALL = ""  # key of the Service that answers all skills of layout shared

Absence = Callable[[str], tuple[str, str]]  # why a skill would not be deployed, and how to keep it


@dataclass(frozen=True, kw_only=True)
class Removal:
    """An address that is answered today and would not be answered after a deployment.

    Attributes:
        name: The skill; the name of the Service, where it is the one that answers all skills of layout shared.
        service: Name of the Service.
        port: Its port.
        version: Version of the model; empty for the Service of all shared skills.
        reason: Why it would not be answered.
        way_out: How to keep it; may be empty.
    """

    name: str
    service: str
    port: int
    version: str
    reason: str
    way_out: str

    def __str__(self) -> str:
        model = f", v{self.version}" if self.version else ""
        return f"{self.name} (Service {self.service}:{self.port}{model}): {self.reason} {self.way_out}".rstrip()


class RemovalError(CoachworksError):
    """A deployment would stop answering what is answered today, and nobody has allowed it.

    Attributes:
        removals: What it would stop answering, without what is allowed.
    """

    def __init__(self, message: str, removals: Iterable[Removal]) -> None:
        super().__init__(message)
        self.removals = tuple(removals)


@dataclass(frozen=True)
class _Address:
    service: str
    port: int
    version: str


def find_removals(
    before: Iterable[Json], after: Iterable[Json], absence: Absence, renamed: Mapping[str, str]
) -> tuple[Removal, ...]:
    """Return what the Services of today answer and those of a deployment would not.

    A skill stays where it is if its Service keeps name and port, whatever pods it selects. The Service that answers all
    skills of layout shared is treated alike.

    Args:
        before: The Services of today.
        after: Those after the deployment.
        absence: Returns why a skill would not be deployed, and how to keep it.
        renamed: The new name of each renamed skill by its earlier one.
    """
    today, planned = dict(_addresses(before)), dict(_addresses(after))
    names = {**{new: old for old, new in renamed.items()}, **renamed}  # a rollback leads from the new name to the old
    return tuple(
        removal
        for key, address in today.items()
        if (removal := _removal(key, address, key if key in planned else names.get(key, key), planned, absence))
    )


def _removal(
    key: str, address: _Address, successor: str, planned: Mapping[str, _Address], absence: Absence
) -> Removal | None:
    then = planned.get(successor)
    if then is not None and (then.service, then.port) == (address.service, address.port):
        return None
    if then is not None:
        subject = "it" if successor == key else f"{successor}, as it is called then,"
        reason, way_out = f"{subject} would be at {then.service}:{then.port}.", _way_to_keep(address, successor)
    elif key == _ALL:
        reason, way_out = "no skill of layout shared would be left.", ""
    else:
        reason, way_out = absence(successor)
    others = [name for name, each in planned.items() if each.service == address.service and name != successor]
    if others:
        reason += f" The Service {address.service} would answer {others[0]}."
    return Removal(
        name=key or address.service,
        service=address.service,
        port=address.port,
        version=address.version,
        reason=reason,
        way_out=way_out,
    )


def _way_to_keep(address: _Address, skill: str) -> str:
    if skill == _ALL:
        return f"To keep it: `spec.deploy.values: {{service: {{name: {address.service}, port: {address.port}}}}}`."
    return f"To keep it: `serving: {{serviceName: {address.service}, port: {address.port}}}` of {skill}."


def _addresses(services: Iterable[Json]) -> Iterator[tuple[str, _Address]]:
    for service in services:
        name, labels = service["metadata"]["name"], service["metadata"].get("labels") or {}
        if GROUP in labels:  # the Service of the metrics has none
            port = int(service["spec"]["ports"][0]["port"])
            yield labels.get(SKILL, _ALL), _Address(name, port, labels.get(VERSION, ""))


def refuse_removals(removals: Collection[Removal], allowed: Collection[str], *, release: str, command: str) -> None:
    """Refuse a deployment that would stop answering something, unless all of that is allowed.

    Args:
        removals: What it would stop answering.
        allowed: Names of what may go.
        release: The release, in words.
        command: The command to repeat, with `--remove`, where all of it may go.

    Raises:
        InvalidConfigError: `allowed` names what would not go.
        RemovalError: something would go that `allowed` does not name.
    """
    names = [removal.name for removal in removals]
    stray = sorted(set(allowed) - set(names))
    if stray:
        gone = f"Only {joined(names)} would go." if names else "Nothing would go."
        raise InvalidConfigError(
            f"--remove must name what would not be answered any more; got {stray[0]!r}. {gone}"
            f"{did_you_mean(stray[0], names) or ' Leave it out.'}"
        )
    refused = [removal for removal in removals if removal.name not in allowed]
    if refused:
        lines = "\n".join(f"  {removal}" for removal in refused)
        flags = " ".join(f"--remove {name}" for name in names)
        raise RemovalError(
            f"{release} answers today, and would not answer any more:\n{lines}\nNothing was changed. To let it go: "
            f"`{command} {flags}`.",
            refused,
        )
