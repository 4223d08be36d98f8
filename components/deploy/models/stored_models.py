"""The models in the store: heads and backbones under their digests, with what is known of each."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from coachworks.errors import NotFoundError
from coachworks.store import Store, prefetched

Kind = Literal["head", "backbone"]
HEAD: Kind = "head"
BACKBONE: Kind = "backbone"
# What tells that a model is there goes first and is written last: one that is half removed is made again as a whole.
_FILES: dict[Kind, tuple[str, ...]] = {HEAD: ("json", "safetensors"), BACKBONE: ("json", "onnx")}
_KEY = re.compile(r"(head|backbone)s/([0-9a-f]{64})\.(json|safetensors|onnx)")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A head or a backbone in the store.

    Attributes:
        kind: `head` or `backbone`.
        digest: What it is called by.
        keys: Its objects, in the order in which they are to be removed.
        size: Bytes of all of them.
        written_at: When the last of them was published.
        name: Of a backbone its name, of a head its skill; empty where its description is gone.
        fleet: The fleet that a head belongs to; empty likewise.
        backbone: Digest of the backbone that a head reads; empty likewise.
    """

    kind: Kind
    digest: str
    keys: tuple[str, ...]
    size: int
    written_at: datetime
    name: str = ""
    fleet: str = ""
    backbone: str = ""

    @property
    def described(self) -> bool:
        """Whether there is a description, readable or not."""
        return any(key.endswith(".json") for key in self.keys)

    def remove(self, store: Store) -> None:
        """Remove it from the store."""
        for key in self.keys:
            store.remove(key)


def stored_models(store: Store) -> list[StoredModel]:
    """All heads and backbones in the store; files that are neither are left alone."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in (key for folder in ("heads", "backbones") for key in store.list(folder)):
        if found := _KEY.fullmatch(key):
            kind, digest, _ = found.groups()
            keys[kind, digest].add(key)
    return [model for model in prefetched(store, lambda entry: _look(store, *entry), keys.items()) if model is not None]


def _look(store: Store, called: tuple[str, str], keys: Iterable[str]) -> StoredModel | None:
    """A stored model; None where somebody else removes it at this moment."""
    kind, digest = (HEAD if called[0] == HEAD else BACKBONE), called[1]
    order = [f"{kind}s/{digest}.{suffix}" for suffix in _FILES[kind]]
    ordered = tuple(sorted(keys, key=lambda key: order.index(key) if key in order else len(order)))
    try:
        facts = [store.info(key) for key in ordered]
    except NotFoundError:
        return None
    told = _description(store, order[0]) if order[0] in ordered else {}
    provenance = told.get("provenance")
    return StoredModel(
        kind=kind,
        digest=digest,
        keys=ordered,
        size=sum(each.size for each in facts),
        written_at=max(each.written_at for each in facts),
        name=str(told.get("skill" if kind == HEAD else "name") or ""),
        fleet=str((provenance if isinstance(provenance, dict) else {}).get("fleet") or ""),
        backbone=str(told.get("backbone_digest") or ""),
    )


def _description(store: Store, key: str) -> dict[str, Any]:
    with suppress(NotFoundError, ValueError):
        told = json.loads(store.read(key))
        return told if isinstance(told, dict) else {}
    return {}
