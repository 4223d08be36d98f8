"""Backups of MLflow's database, with stand-ins for PostgreSQL's programs; the real ones run on a cluster."""

import os
from pathlib import Path

import boto3
import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.mlflow_server.__main__ import read_accounts, read_location
from coachworks.mlflow_server.backups import BackupError, BackupLocation, backup, find_backup, list_backups, restore
from coachworks.mlflow_server.database import Schemas

LISTED = "4; 0 1 TABLE DATA mlflow experiments owner\n5; 0 1 TABLE DATA mlflow_users users owner"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on PATH with programs that record their calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = """#!/bin/sh
me=$(basename "$0")
echo "$me $*" >> {folder}/calls
for word in "$@"; do
  case $word in
    --file=/dev/null) ;;
    --file=*)
      if [ $me = psql ]; then cat "${{word#--file=}}" >> {folder}/sql; else echo dump > "${{word#--file=}}"; fi ;;
    --list) cat {folder}/listed ;;
  esac
done
"""
    for name in ("pg_dump", "pg_restore", "psql"):
        (folder / name).write_text(script.format(folder=folder))
        (folder / name).chmod(0o755)
    (folder / "listed").write_text(LISTED)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def location(bucket: str) -> BackupLocation:
    return BackupLocation(bucket=bucket, prefix="backups/mlops", keep=2)


def put(location: BackupLocation, name: str, body: bytes = b"dump\n", **metadata: str) -> None:
    boto3.client("s3").put_object(Bucket=location.bucket, Key=location.key(name), Body=body, Metadata=metadata)


def test_a_backup_is_stored_and_the_oldest_ones_are_deleted(programs: Path, location: BackupLocation) -> None:
    for name in ("20260101T000000Z.dump", "20260102T000000Z.dump", "notes.txt"):
        put(location, name)
    key = backup(location, Schemas())
    assert list_backups(location) == ["backups/mlops/20260102T000000Z.dump", key]
    assert (
        boto3.client("s3").get_object(Bucket=location.bucket, Key=location.key("notes.txt"))["Body"].read() == b"dump\n"
    )


def test_a_dump_without_users_is_rejected_and_older_backups_are_kept(programs: Path, location: BackupLocation) -> None:
    for day in (1, 2, 3):
        put(location, f"2026010{day}T000000Z.dump")
    (programs / "listed").write_text(LISTED.splitlines()[0])
    with pytest.raises(BackupError, match=r"must hold the table mlflow_users\.users"):
        backup(location, Schemas())
    assert len(list_backups(location)) == 3


def test_a_program_that_fails_is_reported_with_its_error_output(programs: Path, location: BackupLocation) -> None:
    (programs / "pg_dump").write_text("#!/bin/sh\necho server version mismatch >&2; exit 1\n")
    with pytest.raises(BackupError, match="pg_dump must exit with 0; it exited with 1: server version mismatch"):
        backup(location, Schemas())


@pytest.mark.parametrize("requested", ["latest", "20260102T000000Z.dump", "backups/mlops/20260102T000000Z.dump"])
def test_a_backup_can_be_named_in_three_ways(location: BackupLocation, requested: str) -> None:
    for day in (1, 2):
        put(location, f"2026010{day}T000000Z.dump")
    assert find_backup(location, requested) == "backups/mlops/20260102T000000Z.dump"


def test_an_unknown_backup_is_reported_with_the_known_ones(location: BackupLocation) -> None:
    put(location, "20260102T000000Z.dump")
    with pytest.raises(NotFoundError, match=r"got '2025\.dump'\. There are: backups/mlops/20260102T000000Z\.dump"):
        find_backup(location, "2025.dump")


def test_a_restore_replaces_everything_in_one_transaction(programs: Path, location: BackupLocation) -> None:
    key = backup(location, Schemas())
    restore(location, Schemas(), key=key, requested="latest")
    (call,) = [line for line in (programs / "calls").read_text().splitlines() if line.startswith("psql")]
    assert "--single-transaction --set=ON_ERROR_STOP=1 --set=requested=latest" in call
    assert (programs / "sql").read_text().splitlines() == [
        'DROP SCHEMA IF EXISTS "mlflow" CASCADE;',
        'DROP SCHEMA IF EXISTS "mlflow_users" CASCADE;',
        "dump",
        "DELETE FROM coachworks.restored;",
        "INSERT INTO coachworks.restored (key) VALUES (:'requested');",
    ]


def test_a_backup_that_was_changed_is_not_restored(programs: Path, location: BackupLocation) -> None:
    put(location, "20260102T000000Z.dump", b"something else", sha256="0" * 64)
    with pytest.raises(BackupError, match="its SHA-256 differs"):
        restore(location, Schemas(), key=find_backup(location, "latest"), requested="latest")
    assert not (programs / "calls").exists()


def test_the_location_of_backups_is_read_from_the_environment() -> None:
    environ = {"BACKUP_BUCKET": "b", "BACKUP_PREFIX": "p/", "BACKUP_KEEP": "3"}
    assert read_location(environ) == BackupLocation(bucket="b", prefix="p/", keep=3)
    assert read_location({}) is None
    with pytest.raises(InvalidConfigError, match="BACKUP_KEEP must be a number of at least 1; got 'all'"):
        read_location(environ | {"BACKUP_KEEP": "all"})
    with pytest.raises(InvalidConfigError, match="keep must be at least 1; got 0"):
        read_location(environ | {"BACKUP_KEEP": "0"})


def test_accounts_do_not_print_their_passwords() -> None:
    accounts = read_accounts(
        {
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_ADMIN_PASSWORD": "a long password",
            "PIPELINES_USERNAME": "pipelines",
            "PIPELINES_PASSWORD": "another password",
        }
    )
    assert [(account.name, account.admin) for account in accounts] == [("admin", True), ("pipelines", False)]
    assert "long" not in repr(accounts)
