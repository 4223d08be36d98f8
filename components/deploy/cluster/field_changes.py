"""Fields in which a live object differs from the released one, and the client that changed each."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.deploy.cluster.state import Json

HIDDEN = "(hidden)"
_ITEM_KEYS = ("name", "mountPath", "port")  # keys that tell items of a list apart
_LONGEST = 100  # characters of a value that a message shows


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """A field that was changed on the cluster, not by the release.

    Attributes:
        object: Kind and name of the object: `Deployment cars-shared`.
        field: Path of the field: `spec.replicas`; empty where the whole object was removed.
        live: Its value on the cluster, as JSON; None where it has none.
        released: Its value in the release, as JSON; None likewise.
        manager: The client that changed it, as Kubernetes recorded it: `kubectl-set`; empty where it recorded none,
            as for a removed field.
        at: Time of that client's last change of the object (RFC 3339); empty likewise.
    """

    object: str
    field: str
    live: str | None
    released: str | None
    manager: str = ""
    at: str = ""

    def __str__(self) -> str:
        """Return the change as a sentence without its full stop."""
        if not self.field:
            return f"{self.object} was removed"
        by = f" ({', '.join(filter(None, (self.manager, self.at)))})" if self.manager else ""
        if self.live is None:
            return f"{self.object}: {self.field} was removed; the release sets {self.released}"
        if self.released is None:
            return f"{self.object}: {self.field} was added: {self.live}{by}"
        return f"{self.object}: {self.field} is {self.live}; the release sets {self.released}{by}"


@dataclass(frozen=True)
class _Item:
    """Item of a list in the path of a field: the value that tells it apart, and its fields."""

    label: str
    fields: Json


_Path = tuple[str | _Item, ...]


def field_changes(live: Json, released: Json) -> list[FieldChange]:
    """Return the fields in which a live object differs from the same object as the API server would store it.

    The status is left out, and so is metadata other than labels and annotations.
    """
    name = f"{released['kind']} {released['metadata']['name']}"
    secret = released["kind"] == "Secret"
    changes = []
    for path, before, after in _differences(_own_part(live), _own_part(released), ()):
        entry = owner_of(live, path)
        changes.append(
            FieldChange(
                object=name,
                field=_text_of(path),
                live=_shown(before, secret=secret),
                released=_shown(after, secret=secret),
                manager=str(entry.get("manager", "")),
                at=str(entry.get("time", "")),
            )
        )
    return changes


def owner_of(live: Json, path: _Path) -> Json:
    """Return the newest entry of an object's `managedFields` that owns a field; empty if there is none."""
    entries = (live["metadata"].get("managedFields") or ()) if path else ()
    owners = [entry for entry in entries if _owns(entry.get("fieldsV1") or {}, path)]
    return max(owners, key=lambda entry: str(entry.get("time") or ""), default={})


def _own_part(document: Json) -> dict[str, Any]:
    """Return the part of an object that a release determines."""
    meta = {key: document["metadata"].get(key) or {} for key in ("labels", "annotations")}
    rest = {key: value for key, value in document.items() if key not in {"apiVersion", "kind", "metadata", "status"}}
    return {"metadata": meta, **rest}


def _differences(live: Any, released: Any, path: _Path) -> Iterator[tuple[_Path, Any, Any]]:
    """Yield the path, live value and released value of each difference; None where a side has no value."""
    if live == released:
        return
    if isinstance(live, Mapping) and isinstance(released, Mapping):
        for key in sorted({*live, *released}):
            yield from _differences(live.get(key), released.get(key), (*path, key))
    elif (key := _item_key(live, released)) is not None:
        before, after = ({item[key]: item for item in side} for side in (live, released))
        for value in [*before, *(value for value in after if value not in before)]:
            step = _Item(str(value), before.get(value) or after[value])
            yield from _differences(before.get(value), after.get(value), (*path, step))
    elif _is_variable(live if released is None else released if live is None else None):
        yield (*path, "value"), *(side and side["value"] for side in (live, released))
    else:
        yield path, live, released


def _item_key(live: Any, released: Any) -> str | None:
    """Return the key that tells the items of two lists apart; None where they are not such lists."""
    if not isinstance(live, list) or not isinstance(released, list):
        return None
    for key in _ITEM_KEYS:
        if all(
            all(isinstance(item, Mapping) and key in item for item in side)
            and len({item[key] for item in side}) == len(side)
            for side in (live, released)
        ):
            return key
    return None


def _is_variable(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"name", "value"}


def _owns(fields: Json, path: _Path) -> bool:
    """Return whether a client's fields, as `managedFields` lists them, include a path."""
    for step in path:
        if not fields:  # a leaf: owned with all that is below it
            return True
        child = _child(fields, step)
        if child is None:
            return False
        fields = child
    return True


def _child(fields: Json, step: str | _Item) -> Json | None:
    if isinstance(step, str):
        return fields.get(f"f:{step}")
    for key, child in fields.items():
        if key.startswith("k:") and json.loads(key[2:]).items() <= step.fields.items():
            return dict(child)
    return None


def _text_of(path: _Path) -> str:
    """Return a path as kubectl writes it: `spec.containers[answers].image`."""
    return "".join(f"[{step.label}]" if isinstance(step, _Item) else f".{step}" for step in path).removeprefix(".")


def _shown(value: Any, *, secret: bool) -> str | None:
    if value is None:
        return None
    text = HIDDEN if secret else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
