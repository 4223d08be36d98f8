"""Models in the store: heads and backbones under their digests, with their descriptions."""

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
# Order of removal. The description is written last and removed first: without it a model counts as not there, so one
# that is half removed is written again as a whole.
_FILES: dict[Kind, tuple[str, ...]] = {HEAD: ("json", "safetensors"), BACKBONE: ("json", "onnx")}
_KEY = re.compile(r"(head|backbone)s/([0-9a-f]{64})\.(json|safetensors|onnx)")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A head or a backbone in the store.

    Attributes:
        kind: `head` or `backbone`.
        digest: Its digest, part of its keys.
        keys: Keys of its objects, in the order of removal.
        size: Size of all of them, in bytes.
        written_at: Time at which the last of them was written.
        name: Name of a backbone, skill of a head; empty without a description.
        fleet: Fleet of a head; empty likewise.
        backbone: Digest of the backbone that a head reads, or that a backbone's files are of, which have names of their
            own where they give further feature groups; empty likewise.
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
    def shared(self) -> str:
        """Digest by which heads, results and versions name it: all graphs of a backbone have that of the backbone."""
        return self.backbone if self.kind == BACKBONE and self.backbone else self.digest

    @property
    def described(self) -> bool:
        """True if there is a description, readable or not."""
        return any(key.endswith(".json") for key in self.keys)

    def remove(self, store: Store) -> None:
        """Remove the model from the store."""
        for key in self.keys:
            store.remove(key)


def stored_models(store: Store) -> list[StoredModel]:
    """Read all heads and backbones in the store; other files are ignored."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in (key for folder in ("heads", "backbones") for key in store.list(folder)):
        if match := _KEY.fullmatch(key):
            kind, digest, _ = match.groups()
            keys[kind, digest].add(key)
    return [
        model
        for model in prefetched(store, lambda entry: _read_model(store, *entry), keys.items())
        if model is not None
    ]


def _read_model(store: Store, name: tuple[str, str], keys: Iterable[str]) -> StoredModel | None:
    """Read a stored model; None where another process removes it at this moment."""
    kind, digest = (HEAD if name[0] == HEAD else BACKBONE), name[1]
    order = [f"{kind}s/{digest}.{suffix}" for suffix in _FILES[kind]]
    ordered = tuple(sorted(keys, key=lambda key: order.index(key) if key in order else len(order)))
    try:
        facts = [store.info(key) for key in ordered]
    except NotFoundError:
        return None
    description = _description(store, order[0]) if order[0] in ordered else {}
    provenance = description.get("provenance")
    return StoredModel(
        kind=kind,
        digest=digest,
        keys=ordered,
        size=sum(each.size for each in facts),
        written_at=max(each.written_at for each in facts),
        name=str(description.get("skill" if kind == HEAD else "name") or ""),
        fleet=str((provenance if isinstance(provenance, dict) else {}).get("fleet") or ""),
        backbone=str(description.get("backbone_digest" if kind == HEAD else "digest") or ""),
    )


def _description(store: Store, key: str) -> dict[str, Any]:
    with suppress(NotFoundError, ValueError):
        description = json.loads(store.read(key))
        return description if isinstance(description, dict) else {}
    return {}
