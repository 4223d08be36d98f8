"""Names of the Services of a fleet, which charts/fleet refuses where Kubernetes would, or where two are the same."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from coachworks.fleet.model import Fleet

LONGEST_RELEASE = 40  # as `spec.deploy.release` allows; the name of a fleet may be longer
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")

Location = tuple[str | int, ...]


def release_name(fleet: Fleet) -> str:
    """Return the name of the fleet's Helm release."""
    return fleet.spec.deploy.release or fleet.name


def name_problems(fleet: Fleet) -> Iterator[tuple[Location, str]]:
    """Yield (location, message) for each name that a release of the fleet cannot have."""
    release = release_name(fleet)
    if len(release) > LONGEST_RELEASE:
        yield ("metadata", "name"), long_release(release)
    taken: dict[str, tuple[Location, str]] = {}
    for name in fleet.spec.skills:
        service = fleet.service_name(name)
        place: Location = ("spec", "skills", name)
        if not _SERVICE.fullmatch(service):
            message = f"the name of a skill's Service must begin with a letter; got {service!r} for {name!r}."
            yield place, f"{message} Set `serving: {{serviceName: …}}` of the skill, or rename it."
        taken[service] = place, f"the skill {name!r}"
    for place, service, kind, setting in _common_services(fleet, release):
        if not _SERVICE.fullmatch(service):
            message = f"the name of the Service of {kind} must be a DNS label that begins with a letter"
            yield place, f"{message}; got {service!r}. Set {setting}."
        elif service in taken:
            skill, owner = taken[service]
            message = f"{owner} and {kind} must not both have the Service {service!r}."
            yield skill, f"{message} Set `serving: {{serviceName: …}}` of the skill, or {setting}."


def long_release(release: str) -> str:
    """Return the message about a name that is too long for a Helm release."""
    return (
        f"the name of a Helm release must have at most {LONGEST_RELEASE} characters; got {release!r}. "
        "Set `spec.deploy.release`."
    )


def _common_services(fleet: Fleet, release: str) -> Iterator[tuple[Location, str, str, str]]:
    """Yield place, name, owner and setting of the Services that belong to no single skill."""
    values = fleet.spec.deploy.values
    if any(fleet.serving(name).layout == "shared" for name in fleet.spec.skills):
        own = _inside(values, "service", "name")
        place: Location = ("spec", "deploy", "values", "service", "name") if own else ("metadata", "name")
        yield place, str(own or release), "all skills at once", "`spec.deploy.values.service.name`"
    if _inside(values, "monitoring", "serviceMonitor", "enabled") is True:
        yield ("metadata", "name"), _short(f"{release}-metrics"), "monitoring", "`spec.deploy.release`"


def _inside(values: Any, *keys: str) -> Any:
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _short(name: str) -> str:
    """Return a name as the chart cuts it: at most 63 characters."""
    return name if len(name) <= 63 else f"{name[:52].removesuffix('-')}-{sha256(name.encode()).hexdigest()[:10]}"
