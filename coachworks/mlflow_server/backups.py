"""Backups of MLflow's database in S3: dump, verify, read back, delete the oldest; and restore.

The artifacts of runs are in S3 already and are not copied.
"""

import hashlib
import logging
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coachworks.digests import digest_file
from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError
from coachworks.mlflow_server.database import RECORD_RESTORED, Schemas
from coachworks.s3 import Objects

logger = logging.getLogger(__name__)

LATEST = "latest"
_NAME = re.compile(r"\d{8}T\d{6}Z\.dump")


class BackupError(CoachworksError):
    """A backup is incomplete or damaged, or one of PostgreSQL's programs failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupLocation:
    """Location of backups.

    Attributes:
        bucket: Name of the S3 bucket.
        prefix: Prefix of the backups' keys; it should hold nothing else.
        keep: Number of backups to keep, at least 1.
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
        """Return the key of the backup called `name`."""
        prefix = self.prefix.strip("/")
        return f"{prefix}/{name}" if prefix else name

    @property
    def objects(self) -> Objects:
        """The objects of the bucket."""
        return Objects(self.bucket, verify=False)


def backup(location: BackupLocation, schemas: Schemas) -> str:
    """Dump both schemas, as of one moment, to S3.

    `pg_restore` reads the dump through before it is uploaded, and it is read back afterwards. Only then are older
    backups beyond `location.keep` deleted.

    Returns:
        The key of the new backup.

    Raises:
        BackupError: the dump or the uploaded object is not complete; older backups are kept.
    """
    objects = location.objects
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "dump")
        selected = [f"--schema={schema}" for schema in schemas]
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", *selected, f"--file={dump}")
        _verify(dump, schemas)
        digest, size = digest_file(dump), dump.stat().st_size
        key = location.key(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump")
        objects.put_file(key, dump, digest)
    address = objects.address(key)
    if _digest(objects.blocks(key, size)) != digest:
        raise BackupError(f"{address} must read back as it was written; it does not. Run the backup again.")
    logger.info("backed up to %s: %d bytes, SHA-256 %s", address, size, digest)
    for old in list_backups(location)[: -location.keep]:
        objects.delete(old)
        logger.info("deleted %s: the newest %d are kept", objects.address(old), location.keep)
    return key


def list_backups(location: BackupLocation) -> list[str]:
    """Return the keys of all backups, the oldest first."""
    prefix = location.key("")
    return sorted(key for key, _ in location.objects.list(prefix) if _NAME.fullmatch(key.removeprefix(prefix)))


def find_backup(location: BackupLocation, requested: str) -> str:
    """Return the key of a backup.

    Args:
        location: Location of the backups.
        requested: `latest`, a key, or the name at the end of a key.

    Raises:
        NotFoundError: there is no such backup.
    """
    known = list_backups(location)
    for key in reversed(known):
        if requested in {LATEST, key, key.rpartition("/")[2]}:
            return key
    raise NotFoundError(
        f"a backup to restore must be {LATEST!r} or a key under s3://{location.bucket}/{location.key('')}; "
        f"got {requested!r}. There are: {', '.join(known[-5:]) or 'none'}."
    )


def restore(location: BackupLocation, schemas: Schemas, *, key: str, requested: str) -> None:
    """Replace both schemas by those of a backup, in one transaction.

    Args:
        location: Location of the backups.
        schemas: The schemas.
        key: Key of the backup.
        requested: The text that requested it, which is recorded in the database so that it is restored only once.

    Raises:
        BackupError: the backup is not complete; the database is not changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump, drop, fill, record = (Path(folder, name) for name in ("dump", "drop.sql", "fill.sql", "record.sql"))
        _download(location, key, dump)
        _verify(dump, schemas)
        drop.write_text("".join(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE;\n' for schema in schemas), "utf-8")
        _run("pg_restore", "--no-owner", "--no-privileges", f"--file={fill}", str(dump))
        record.write_text(RECORD_RESTORED, "utf-8")
        _run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=requested={requested}",
            *(f"--file={file}" for file in (drop, fill, record)),
        )
    logger.info("restored from s3://%s/%s", location.bucket, key)


def _download(location: BackupLocation, key: str, dump: Path) -> None:
    objects = location.objects
    info = objects.head(key)
    if info is None or not objects.download(key, dump, info.size, etag=info.etag):
        raise NotFoundError(f"{objects.address(key)} was deleted or replaced during the restore. Run it again.")
    if info.sha256 and info.sha256 != digest_file(dump):
        raise BackupError(
            f"{objects.address(key)} must have the content that was written; its SHA-256 differs. Take another."
        )


def _verify(dump: Path, schemas: Schemas) -> None:
    """Read a dump through and check that it contains runs and users."""
    _run("pg_restore", "--file=/dev/null", str(dump))
    listing = _run("pg_restore", "--list", str(dump))
    for schema, table in ((schemas.tracking, "experiments"), (schemas.users, "users")):
        if f"TABLE DATA {schema} {table} " not in listing:
            raise BackupError(f"a backup must hold the table {schema}.{table}; this one does not")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — PostgreSQL's own programs
    if done.returncode != 0:
        raise BackupError(f"{command[0]} must exit with 0; it exited with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _digest(blocks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
