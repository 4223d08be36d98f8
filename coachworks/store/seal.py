"""Seals: the digest of a JSON document as its own last member, so that damage to it is noticed.

`{"state": "done"}` becomes `{"state": "done", "sha256": "3f…"}`; the digest is that of the bytes before the seal, with
the closing brace. Documents of earlier versions have none; they are read as they are.
"""

import json
from collections.abc import Mapping
from typing import Any

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError
from coachworks.store.protocol import Store

_MEMBER = "sha256"
_BEFORE, _AFTER = b',"sha256":"', b'"}'
_DIGITS = 64
_LENGTH = len(_BEFORE) + _DIGITS + len(_AFTER)


def seal(document: bytes) -> bytes:
    """Return a JSON object, which has members and ends in a brace, with the digest of its bytes as its last member.

    >>> seal(b'{"state": "done"}')[:38]
    b'{"state": "done","sha256":"b581a66582d'
    """
    return document[:-1] + _BEFORE + digest_bytes(document).encode() + _AFTER


def unsealed(data: bytes) -> bytes:
    """Return the JSON object that was sealed; data without a seal are returned as they are.

    Raises:
        ValueError: it is not what was sealed.
    """
    tail = data[-_LENGTH:]
    frame = tail[: len(_BEFORE)] + tail[-len(_AFTER) :]
    same = sum(actual == expected for actual, expected in zip(frame, _BEFORE + _AFTER, strict=False))
    if len(tail) < _LENGTH or same < len(frame) // 2:
        return data
    document = data[:-_LENGTH] + b"}"
    digest = digest_bytes(document)
    if frame != _BEFORE + _AFTER or tail[len(_BEFORE) : -len(_AFTER)] != digest.encode():
        raise ValueError(f"its SHA-256 is {digest}, and its last member is {tail[1:-1].decode('utf-8', 'replace')}")
    return document


def is_sealed(data: bytes) -> bool:
    """Return whether the document carries a seal, intact or not."""
    try:
        return unsealed(data) != data
    except ValueError:
        return True


def write_record(store: Store, key: str, document: Mapping[str, Any]) -> None:
    """Write a JSON object to the store, sealed."""
    store.write(key, record_bytes(document))


def record_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a JSON object as sealed bytes."""
    return seal(json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def read_record(store: Store, key: str) -> dict[str, Any]:
    """Read a JSON object from the store, and compare it with its seal.

    Raises:
        NotFoundError: there is no such object.
        DamagedError: it is not what was written.
    """
    return parse_record(store.read(key), key, store.uri)


def parse_record(data: bytes, key: str, uri: str) -> dict[str, Any]:
    """Parse a JSON object that was read from `key` of the store at `uri`, and compare it with its seal.

    Raises:
        DamagedError: it is not what was written.
    """
    try:
        document = json.loads(unsealed(data))
    except ValueError as err:
        raise DamagedError(key, uri, f"it must be JSON with an intact seal; {err}") from err
    if not isinstance(document, dict) or _MEMBER in document:
        raise DamagedError(key, uri, "it must be a JSON object with an intact seal at its end")
    return document
