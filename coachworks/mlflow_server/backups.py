"""Backups of MLflow's database in S3: dumped, verified, read back, the oldest removed; and restored.

The artifacts of runs are in S3 already and are not copied.
"""

import hashlib
import logging
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError
from coachworks.mlflow_server.database import NOTE_RESTORED, Schemas
from coachworks.s3 import open_s3, patient

logger = logging.getLogger(__name__)

LATEST = "latest"
_NAME = re.compile(r"\d{8}T\d{6}Z\.dump")
_CHUNK = 1 << 20
_SHA256 = "sha256"


class BackupError(CoachworksError):
    """A backup is not what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where backups are.

    Attributes:
        bucket: The S3 bucket.
        prefix: What their keys begin with; nothing else should be there.
        keep: How many are kept, at least 1.
    """

    bucket: str
    prefix: str
    keep: int = 14

    def __post_init__(self) -> None:
        if not self.bucket:
            raise InvalidConfigError(f"bucket must name an S3 bucket; got {self.bucket!r}")
        if self.keep < 1:
            raise InvalidConfigError(f"keep must be at least 1; got {self.keep!r}")

    def key(self, name: str) -> str:
        """Key of a backup by its name."""
        prefix = self.prefix.strip("/")
        return f"{prefix}/{name}" if prefix else name


def backup(place: Place, schemas: Schemas) -> str:
    """Dump both schemas as they are at this moment to S3.

    The dump is read through by `pg_restore` before it is uploaded, and read back afterwards. Only then do older ones
    beyond `place.keep` go.

    Returns:
        The key of the new backup.

    Raises:
        BackupError: what was dumped or stored is not whole; older backups stay.
    """
    client = open_s3()
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "dump")
        wanted = [f"--schema={schema}" for schema in schemas]
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", *wanted, f"--file={dump}")
        _verify(dump, schemas)
        digest = _digest(_pieces(dump))
        key = place.key(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump")
        where = f"s3://{place.bucket}/{key}"
        told = {"Metadata": {_SHA256: digest}}
        patient(lambda: client.upload_file(str(dump), place.bucket, key, ExtraArgs=told), place=where)
        if patient(lambda: _digest(_stored(place, key)["Body"].iter_chunks(_CHUNK)), place=where) != digest:
            raise BackupError(f"{where} must read back as it was written; it does not. Run the backup again.")
        size = dump.stat().st_size
    logger.info("backed up to %s: %d bytes, SHA-256 %s", where, size, digest)
    for old in backups(place)[: -place.keep]:
        patient(partial(client.delete_object, Bucket=place.bucket, Key=old), place=f"s3://{place.bucket}/{old}")
        logger.info("removed s3://%s/%s: %d newer ones are kept", place.bucket, old, place.keep)
    return key


def backups(place: Place) -> list[str]:
    """Keys of all backups, the oldest first."""
    prefix = place.key("")
    pages = open_s3().get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=prefix)
    keys = patient(
        lambda: [str(entry["Key"]) for page in pages for entry in page.get("Contents", ())],
        place=f"s3://{place.bucket}/{prefix}",
    )
    return sorted(key for key in keys if _NAME.fullmatch(key.removeprefix(prefix)))


def find(place: Place, asked: str) -> str:
    """Key of the backup that `asked` means: `latest`, a key, or the name at the end of one.

    Raises:
        NotFoundError: there is no such backup.
    """
    known = backups(place)
    for key in reversed(known):
        if asked in {LATEST, key, key.rpartition("/")[2]}:
            return key
    raise NotFoundError(
        f"a backup to restore must be {LATEST!r} or a key under s3://{place.bucket}/{place.key('')}; got {asked!r}. "
        f"There are: {', '.join(known[-5:]) or 'none'}."
    )


def restore(place: Place, schemas: Schemas, *, key: str, asked: str) -> None:
    """Put both schemas back as a backup has them, in one transaction.

    Raises:
        BackupError: the backup is not whole; the database stays as it is.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump, drop, fill, note = (Path(folder, name) for name in ("dump", "drop.sql", "fill.sql", "note.sql"))
        written = patient(lambda: _fetch(place, key, dump), place=f"s3://{place.bucket}/{key}")
        if written and written != _digest(_pieces(dump)):
            raise BackupError(f"s3://{place.bucket}/{key} must be what was written; its SHA-256 differs. Take another.")
        _verify(dump, schemas)
        drop.write_text("".join(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE;\n' for schema in schemas), "utf-8")
        _run("pg_restore", "--no-owner", "--no-privileges", f"--file={fill}", str(dump))
        note.write_text(NOTE_RESTORED, "utf-8")
        files = [f"--file={file}" for file in (drop, fill, note)]
        _run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=asked={asked}",
            *files,
        )
    logger.info("restored from s3://%s/%s", place.bucket, key)


def _stored(place: Place, key: str) -> Any:
    return open_s3().get_object(Bucket=place.bucket, Key=key)


def _fetch(place: Place, key: str, dump: Path) -> str | None:
    """Copy a backup to `dump`; the SHA-256 it was written with."""
    stored = _stored(place, key)
    with dump.open("wb") as file:
        for piece in stored["Body"].iter_chunks(_CHUNK):
            file.write(piece)
    # Servers differ in how they write the names of metadata.
    return {name.lower(): str(value) for name, value in stored.get("Metadata", {}).items()}.get(_SHA256)


def _verify(dump: Path, schemas: Schemas) -> None:
    """Read a dump through, and look that runs and users are in it."""
    _run("pg_restore", "--file=/dev/null", str(dump))
    listed = _run("pg_restore", "--list", str(dump))
    for schema, table in ((schemas.tracking, "experiments"), (schemas.users, "users")):
        if f"TABLE DATA {schema} {table} " not in listed:
            raise BackupError(f"a backup must hold the table {schema}.{table}; this one does not")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — PostgreSQL's own programs
    if done.returncode != 0:
        raise BackupError(f"{command[0]} must end well; it ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


def _digest(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
