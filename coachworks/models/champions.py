"""Champions of a fleet: named by register, or kept from an earlier package; and their heads in the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from coachworks.digests import digest_bytes
from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.keys import head_key, head_manifest_key
from coachworks.results import Result, latest, load
from coachworks.store import Store


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


def find_champions(
    store: Store, fleet: Fleet, lanes: Sequence[Result]
) -> tuple[dict[str, HeadVersion], dict[str, str]]:
    """Find the champion of every skill that has one, in the fleet's order.

    A skill that took no part in this run keeps the champion that the latest package holds.

    Args:
        store: Where the results are.
        fleet: The fleet.
        lanes: Results of register, one per lane.

    Returns:
        The champions by skill, and the reason why each of the other skills has none.
    """
    registered: dict[str, Mapping[str, Any]] = {}
    for lane in lanes:
        registered |= lane.report["skills"]
    earlier = _packaged(store)
    champions: dict[str, HeadVersion] = {}
    without: dict[str, str] = {}
    for skill in fleet.spec.skills:
        entry = registered.get(skill)
        if entry is None:
            if skill in earlier:
                champions[skill] = earlier[skill]
            else:
                without[skill] = "it took no part in this run and was never packaged"
        elif entry.get("head_digest") and entry.get("champion_version"):
            champions[skill] = HeadVersion(version=str(entry["champion_version"]), head_digest=entry["head_digest"])
        else:
            without[skill] = f"no version is champion: {entry.get('reason') or entry['status']}"
    return champions, without


def _packaged(store: Store) -> dict[str, HeadVersion]:
    try:
        skills = load(store, "package", latest(store, "package")).report["skills"]
    except NotFoundError:
        return {}
    return {
        name: HeadVersion(version=entry["version"], head_digest=entry["head_digest"]) for name, entry in skills.items()
    }


def head_manifest(store: Store, version: HeadVersion) -> dict[str, Any]:
    """Read the JSON that register wrote beside a head: backbone, labels, metrics, provenance.

    Raises:
        NotFoundError: the head is not in the store.
    """
    document: dict[str, Any] = json.loads(store.read(head_manifest_key(version.head_digest)))
    return document


def head_bytes(store: Store, skill: str, version: HeadVersion) -> bytes:
    """Read a head as it was registered.

    Raises:
        NotFoundError: the head is not in the store.
        DataError: it differs from the registered one.
    """
    data = store.read(head_key(version.head_digest))
    actual = digest_bytes(data)
    if actual != version.head_digest:
        raise DataError(
            f"the head of {skill!r}, version {version.version}, must have the SHA-256 {version.head_digest}; got "
            f"{actual}. The store's file is damaged or was changed: train again with `coachworks run --from train`."
        )
    return data
