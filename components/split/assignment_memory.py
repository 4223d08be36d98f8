"""Memory of splits: the split of every set and photo of a fleet, append-only, in the store.

`splits/<fleet>/00000001/assignments.json`, `…/00000002/…`: each part is a tree that is published atomically. The first
of two writers of one number wins, so that concurrent runs agree. The first assignment of a set or photo is final.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coachworks.store import Store, read_record
from coachworks.tables import SPLITS

_FILE = "assignments.json"


@dataclass
class Assignments:
    """Splits of sets and photos.

    Attributes:
        sets: Split per set.
        photos: Split per photo, for photos that move to another set later.
    """

    sets: dict[str, str] = field(default_factory=dict)
    photos: dict[str, str] = field(default_factory=dict)

    def beyond(self, known: "Assignments") -> "Assignments":
        """Return the assignments that `known` does not contain."""
        return Assignments(
            {name: split for name, split in self.sets.items() if name not in known.sets},
            {name: split for name, split in self.photos.items() if name not in known.photos},
        )

    def __bool__(self) -> bool:
        return bool(self.sets or self.photos)


class Memory:
    """Memory of the splits of one fleet."""

    def __init__(self, store: Store, fleet: str) -> None:
        self._store, self._prefix = store, f"splits/{fleet}"
        self._parts = 0
        self.known = Assignments()

    def read(self) -> Assignments:
        """Read the parts that are new since the last call; return all assignments."""
        while self._store.exists(self._key(self._parts + 1)):
            self._parts += 1
            self._learn(read_record(self._store, f"{self._key(self._parts)}/{_FILE}"))
        return self.known

    def append(self, new: Assignments) -> bool:
        """Write the new assignments; return False, with nothing written, if another run was faster: decide again."""
        new = new.beyond(self.known)
        if not new:
            return True
        key = self._key(self._parts + 1)
        token = write_part(self._store, key, new)
        won: bool = read_record(self._store, f"{key}/{_FILE}")["token"] == token
        self.read()
        return won

    def _key(self, part: int) -> str:
        return f"{self._prefix}/{part:08}"

    def _learn(self, part: Mapping[str, Any]) -> None:
        for kind, known in (("sets", self.known.sets), ("photos", self.known.photos)):
            for split in SPLITS:
                for name in part[kind].get(split, ()):
                    known.setdefault(name, split)


def write_part(store: Store, key: str, new: Assignments) -> str:
    """Publish assignments as the part at `key`, unless there is one; return the token that tells it from others."""
    part = {"token": uuid.uuid4().hex, "sets": _by_split(new.sets), "photos": _by_split(new.photos)}
    with store.scratch() as folder:
        (folder / _FILE).write_text(json.dumps(part, indent=0), "utf-8")
        store.publish(folder, key)
    return str(part["token"])


def _by_split(assigned: Mapping[str, str]) -> dict[str, list[str]]:
    return {split: sorted(name for name, its in assigned.items() if its == split) for split in SPLITS}
