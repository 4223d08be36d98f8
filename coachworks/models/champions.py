"""Which head answers each skill: the champions that register named, and what an earlier package holds of the others."""

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
class Champion:
    """The registered version that answers a skill.

    Attributes:
        version: Version of the registered model.
        head_digest: SHA-256 of its head's file, `heads/<digest>.safetensors` in the store.
    """

    version: str
    head_digest: str

    def to_json(self) -> dict[str, str]:
        """The champion as JSON values."""
        return asdict(self)


def find_champions(store: Store, fleet: Fleet, lanes: Sequence[Result]) -> tuple[dict[str, Champion], dict[str, str]]:
    """The champion of every skill of the fleet that has one, in the fleet's order.

    A skill that took no part in this run keeps the champion that the latest package holds.

    Args:
        store: Where the results are.
        fleet: The fleet.
        lanes: Results of register, one per lane.

    Returns:
        The champions by skill, and why each of the other skills has none.
    """
    registered: dict[str, Mapping[str, Any]] = {}
    for lane in lanes:
        registered |= lane.report["skills"]
    earlier = _packaged(store)
    champions: dict[str, Champion] = {}
    without: dict[str, str] = {}
    for skill in fleet.spec.skills:
        entry = registered.get(skill)
        if entry is None:
            if skill in earlier:
                champions[skill] = earlier[skill]
            else:
                without[skill] = "it took no part in this run and was never packaged"
        elif entry.get("head_digest") and entry.get("champion_version"):
            champions[skill] = Champion(version=str(entry["champion_version"]), head_digest=entry["head_digest"])
        else:
            without[skill] = f"no version is champion: {entry.get('reason') or entry['status']}"
    return champions, without


def _packaged(store: Store) -> dict[str, Champion]:
    try:
        skills = load(store, "package", latest(store, "package")).report["skills"]
    except NotFoundError:
        return {}
    return {
        name: Champion(version=entry["version"], head_digest=entry["head_digest"]) for name, entry in skills.items()
    }


def head_manifest(store: Store, champion: Champion) -> dict[str, Any]:
    """What register wrote beside the head: metrics, data, code and when.

    Raises:
        NotFoundError: the store holds no such head.
    """
    document: dict[str, Any] = json.loads(store.read(head_manifest_key(champion.head_digest)))
    return document


def head_bytes(store: Store, skill: str, champion: Champion) -> bytes:
    """The champion's head as it was registered.

    Raises:
        NotFoundError: the store holds no such head.
        DataError: it is not the one that was registered.
    """
    data = store.read(head_key(champion.head_digest))
    actual = digest_bytes(data)
    if actual != champion.head_digest:
        raise DataError(
            f"the head of {skill!r}, version {champion.version}, must have the SHA-256 {champion.head_digest}; got "
            f"{actual}. The store's file is damaged or was changed: train again with `coachworks run --from train`."
        )
    return data
