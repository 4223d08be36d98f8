"""What ingest knows about files and photos it has seen, kept in the store so that nothing is read or measured twice.

`index/files/<version>/*.json` says what each file is, by place, size and version; `index/photos/*.json` says
when each photo came in. Both grow by small parts, published whole as work goes on: a run that is killed resumes from
the last.
"""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coachworks import photos
from coachworks.digests import digest_sources
from coachworks.store import Store
from components.ingest import quality_measures
from components.ingest.found import Found

_PART_ENTRIES = 500
_PART_SECONDS = 2.0
_READERS = 8  # parts are small: what they cost in a bucket is waiting


@dataclass(frozen=True)
class Facts:
    """What a photo's bytes tell.

    Attributes:
        photo_id: SHA-256 of the file.
        uri: Key in the store.
        width_px: Width, upright.
        height_px: Height, upright.
        format: One of `photos.FORMATS`.
        taken_at: EXIF date, ISO 8601, or None.
        sharpness: See `quality_measures.Measures`, also for the next three.
        brightness: In [0, 1].
        contrast: In [0, 0.5].
        perceptual_hash: 16 hexadecimal digits.
    """

    photo_id: str
    uri: str
    width_px: int
    height_px: int
    format: str
    taken_at: str | None
    sharpness: float
    brightness: float
    contrast: float
    perceptual_hash: str


@dataclass(frozen=True)
class Refusal:
    """Why a file is no usable photo: a reason of `photos.Reason` and a message."""

    reason: str
    message: str


Verdict = Facts | Refusal


class PhotoIndex:
    """The index of one store, read once; `add` publishes what is new."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Files judged by other code are judged anew; when photos came in stays known.
        version = digest_sources([Path(str(module.__file__)) for module in (photos, quality_measures)])[:16]
        self._files_prefix = f"index/files/{version}"
        self._verdicts: dict[tuple[str, int, str], Verdict] = {}
        self._facts: dict[str, Facts] = {}
        self._arrivals: dict[str, str] = {}
        # Listed once: to ask for each of a hundred thousand photos takes minutes where the store is a bucket.
        self._stored = set(store.list("photos"))
        self._pending: list[dict[str, Any]] = []
        self._pending_arrivals: dict[str, str] = {}
        self._flushed_at = time.monotonic()
        for entry in self._parts(self._files_prefix):
            self._remember(entry)
        for arrivals in self._parts("index/photos"):
            for photo_id, at in arrivals.items():
                self._arrivals[photo_id] = min(at, self._arrivals.get(photo_id, at))

    def _parts(self, prefix: str) -> Iterator[Any]:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="index") as pool:
            for part in pool.map(self._store.read, self._store.list(prefix)):
                yield from json.loads(part)

    def _remember(self, entry: dict[str, Any]) -> None:
        facts = entry.get("facts")
        verdict: Verdict = Facts(**facts) if facts else Refusal(**entry["refusal"])
        if isinstance(verdict, Facts):
            self._facts[verdict.photo_id] = verdict
        self._verdicts[entry["place"], entry["size"], entry["version"]] = verdict

    def verdict(self, found: Found) -> Verdict | None:
        """What the file is, if it is unchanged since it was read and its photo still lies in the store."""
        verdict = self._verdicts.get(_file_key(found))
        if isinstance(verdict, Facts) and not self.is_stored(verdict.uri):
            return None
        return verdict

    def facts(self, photo_id: str) -> Facts | None:
        """What is known of a photo, if it lies in the store."""
        facts = self._facts.get(photo_id)
        return facts if facts is not None and self.is_stored(facts.uri) else None

    def is_stored(self, uri: str) -> bool:
        """Whether the photo lay in the store when this index was read, or was added since."""
        return uri in self._stored

    def arrived_at(self, photo_id: str) -> datetime:
        """When the photo was first taken in, UTC without zone."""
        return datetime.fromisoformat(self._arrivals[photo_id])

    def _note_arrival(self, photo_id: str) -> None:
        if photo_id not in self._arrivals:
            now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
            self._arrivals[photo_id] = self._pending_arrivals[photo_id] = now

    def add(self, found: Found, verdict: Verdict) -> None:
        """Note what a file is; published with the next part."""
        place, size, version = _file_key(found)
        kind = "facts" if isinstance(verdict, Facts) else "refusal"
        entry = {"place": place, "size": size, "version": version, kind: asdict(verdict)}
        self._remember(entry)
        self._pending.append(entry)
        if isinstance(verdict, Facts):
            self._note_arrival(verdict.photo_id)
            self._stored.add(verdict.uri)
        if len(self._pending) >= _PART_ENTRIES or time.monotonic() - self._flushed_at > _PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Publish what has been noted."""
        # Arrivals first: a file that is known must have one.
        if self._pending_arrivals:
            self._publish("index/photos", [self._pending_arrivals])
        if self._pending:
            self._publish(self._files_prefix, self._pending)
        self._pending, self._pending_arrivals = [], {}
        self._flushed_at = time.monotonic()

    def _publish(self, prefix: str, entries: list[Any]) -> None:
        # ASCII JSON: file names that are not UTF-8 travel as surrogate escapes.
        self._store.write(f"{prefix}/{uuid.uuid4().hex}.json", json.dumps(entries, separators=(",", ":")).encode())


def _file_key(found: Found) -> tuple[str, int, str]:
    return found.place, found.size, found.version
