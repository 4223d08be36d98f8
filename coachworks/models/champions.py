"""Champions of a fleet: named by register, or kept from an earlier package; and their heads in the store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from coachworks.fleet.model import Fleet
from coachworks.models.keys import head_manifest_key
from coachworks.store import Store, read_record


@dataclass(frozen=True)
class HeadVersion:
    """Version of a skill's registered model, with the digest of its head.

    Attributes:
        version: Number of the version.
        head_digest: SHA-256 of the head's file, `heads/<digest>.safetensors` in the store.
    """

    version: str
    head_digest: str

    def to_json(self) -> dict[str, str]:
        """Return the version as JSON values."""
        return asdict(self)


class Registered(Protocol):
    """The part of register's report that is about one skill."""

    @property
    def status(self) -> str:
        """Status of the skill in register."""

    @property
    def reason(self) -> str:
        """Reason of the status, in words."""

    @property
    def champion_version(self) -> str | None:
        """Version of the champion."""

    @property
    def head_digest(self) -> str | None:
        """Digest of the champion's head."""


def find_champions(
    fleet: Fleet, registered: Mapping[str, Registered], packaged: Mapping[str, HeadVersion]
) -> tuple[dict[str, HeadVersion], dict[str, str]]:
    """Find the champion of every skill of the fleet that has one, in the fleet's order.

    Args:
        fleet: The fleet.
        registered: The skills in the reports of register, of all lanes.
        packaged: The champions in the latest package; a skill that took no part in this run keeps its own.

    Returns:
        The champions by skill, and by skill the reason why there is none.
    """
    champions: dict[str, HeadVersion] = {}
    without: dict[str, str] = {}
    for skill in fleet.spec.skills:
        entry = registered.get(skill)
        if entry is None:
            if skill in packaged:
                champions[skill] = packaged[skill]
            else:
                without[skill] = "it took no part in this run and was never packaged"
        elif entry.head_digest and entry.champion_version:
            champions[skill] = HeadVersion(version=entry.champion_version, head_digest=entry.head_digest)
        else:
            without[skill] = f"no version is champion: {entry.reason or entry.status}"
    return champions, without


def head_manifest(store: Store, version: HeadVersion) -> dict[str, Any]:
    """Read the JSON that register wrote beside a head: backbone, labels, metrics, provenance.

    Raises:
        NotFoundError: the head is not in the store.
        DamagedError: its manifest is not what was written.
    """
    return read_record(store, head_manifest_key(version.head_digest))
