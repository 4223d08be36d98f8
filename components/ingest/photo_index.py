"""Index of the files and photos that ingest has read, kept in the store so that none is read or measured twice.

`index/files/<version>/*.json` holds a record per file, by place, size and version; `index/photos/*.json` holds the
time when each photo was first ingested. Both grow by small parts, each published whole and named by its SHA-256, so
that a killed run resumes after the last one and a damaged part is noticed.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coachworks import photos
from coachworks.digests import digest_bytes, digest_sources
from coachworks.errors import DamagedError
from coachworks.store import Store
from components.ingest import quality_measures
from components.ingest.listing import SourceFile

_PART_ENTRIES = 500
_PART_SECONDS = 2.0
_READERS = 8  # parts are small: in a bucket, most of the time is spent waiting


@dataclass(frozen=True)
class Facts:
    """Facts read from a photo's bytes.

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
    """Reason of `photos.Reason` why a file is no usable photo, and a message."""

    reason: str
    message: str


FileRecord = Facts | Refusal


class PhotoIndex:
    """The index of one store, read once; `add` publishes new records."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Files are examined again when this code changes; the times of arrival are kept.
        # `decoding` is left out: it imports this module, and no limit in it concerns an honest photo.
        sources = [*Path(str(photos.__file__)).parent.glob("*.py"), Path(str(quality_measures.__file__))]
        version = digest_sources(sources)[:16]
        self._files_prefix = f"index/files/{version}"
        self._records: dict[tuple[str, int, str], FileRecord] = {}
        self._facts: dict[str, Facts] = {}
        self._arrivals: dict[str, str] = {}
        # Listed once: a request for each of a hundred thousand photos would take minutes in a bucket.
        self._stored = set(store.list("photos"))
        self._pending: list[dict[str, Any]] = []
        self._pending_arrivals: dict[str, str] = {}
        self._flushed_at = time.monotonic()
        for entry in self._parts(self._files_prefix):
            self._remember(entry)
        for arrivals in self._parts("index/photos"):
            for photo_id, at in arrivals.items():
                self._arrivals[photo_id] = min(at, self._arrivals.get(photo_id, at))
        for photo_id in self._facts:
            self._note_arrival(photo_id)  # for those whose part was damaged and removed

    def _parts(self, prefix: str) -> Iterator[Any]:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="index") as pool:
            for part in pool.map(self._read_part, self._store.list(prefix)):
                yield from part

    def _read_part(self, key: str) -> list[Any]:
        try:
            return list(json.loads(self._store.read(key)))
        except DamagedError:
            raise
        except ValueError as err:  # a part of an earlier version, whose name is no digest
            raise DamagedError(key, self._store.uri, f"it must be JSON; {err}") from err

    def _remember(self, entry: dict[str, Any]) -> None:
        facts = entry.get("facts")
        record: FileRecord = Facts(**facts) if facts else Refusal(**entry["refusal"])
        if isinstance(record, Facts):
            self._facts[record.photo_id] = record
        self._records[entry["place"], entry["size"], entry["version"]] = record

    def record(self, file: SourceFile) -> FileRecord | None:
        """Return the record of a file, if it is unchanged since and its photo is still in the store; else None."""
        record = self._records.get(_file_key(file))
        if isinstance(record, Facts) and not self.is_stored(record.uri):
            return None
        return record

    def facts(self, photo_id: str) -> Facts | None:
        """Return the facts of a photo, if it is in the store; else None."""
        facts = self._facts.get(photo_id)
        return facts if facts is not None and self.is_stored(facts.uri) else None

    def is_stored(self, uri: str) -> bool:
        """Return whether the photo was in the store when this index was read, or was added since."""
        return uri in self._stored

    def arrived_at(self, photo_id: str) -> datetime:
        """Return the time when the photo was first ingested, UTC without zone."""
        return datetime.fromisoformat(self._arrivals[photo_id])

    def _note_arrival(self, photo_id: str) -> None:
        if photo_id not in self._arrivals:
            now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
            self._arrivals[photo_id] = self._pending_arrivals[photo_id] = now

    def add(self, file: SourceFile, record: FileRecord) -> None:
        """Add the record of a file; published with the next part."""
        place, size, version = _file_key(file)
        kind = "facts" if isinstance(record, Facts) else "refusal"
        entry = {"place": place, "size": size, "version": version, kind: asdict(record)}
        self._remember(entry)
        self._pending.append(entry)
        if isinstance(record, Facts):
            self._note_arrival(record.photo_id)
            self._stored.add(record.uri)
        if len(self._pending) >= _PART_ENTRIES or time.monotonic() - self._flushed_at > _PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Publish the records that are pending."""
        # Arrivals first: each file with a record must have one.
        if self._pending_arrivals:
            self._publish("index/photos", [self._pending_arrivals])
        if self._pending:
            self._publish(self._files_prefix, self._pending)
        self._pending, self._pending_arrivals = [], {}
        self._flushed_at = time.monotonic()

    def _publish(self, prefix: str, entries: list[Any]) -> None:
        # ASCII JSON: file names that are not UTF-8 travel as surrogate escapes.
        data = json.dumps(entries, separators=(",", ":")).encode()
        self._store.write(f"{prefix}/{digest_bytes(data)}.json", data)


def _file_key(file: SourceFile) -> tuple[str, int, str]:
    return file.place, file.size, file.version
