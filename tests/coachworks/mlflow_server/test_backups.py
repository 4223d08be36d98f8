"""Backups of MLflow's database, with stand-ins for PostgreSQL's programs; the real ones run on a cluster."""

import os
from pathlib import Path

import boto3
import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.mlflow_server.__main__ import accounts_of, place_of
from coachworks.mlflow_server.backups import BackupError, Place, backup, backups, find, restore
from coachworks.mlflow_server.database import Schemas

LISTED = "4; 0 1 TABLE DATA mlflow experiments owner\n5; 0 1 TABLE DATA mlflow_users users owner"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with programs that note how they were called."""
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
def place(bucket: str) -> Place:
    return Place(bucket=bucket, prefix="backups/mlops", keep=2)


def put(place: Place, name: str, body: bytes = b"dump\n", **metadata: str) -> None:
    boto3.client("s3").put_object(Bucket=place.bucket, Key=place.key(name), Body=body, Metadata=metadata)


def test_a_backup_is_there_and_the_oldest_beyond_those_to_keep_are_not(programs: Path, place: Place) -> None:
    for name in ("20260101T000000Z.dump", "20260102T000000Z.dump", "notes.txt"):
        put(place, name)
    key = backup(place, Schemas())
    assert backups(place) == ["backups/mlops/20260102T000000Z.dump", key]
    assert boto3.client("s3").get_object(Bucket=place.bucket, Key=place.key("notes.txt"))["Body"].read() == b"dump\n"


def test_a_dump_without_users_is_no_backup_and_costs_no_older_one(programs: Path, place: Place) -> None:
    for day in (1, 2, 3):
        put(place, f"2026010{day}T000000Z.dump")
    (programs / "listed").write_text(LISTED.splitlines()[0])
    with pytest.raises(BackupError, match=r"must hold the table mlflow_users\.users"):
        backup(place, Schemas())
    assert len(backups(place)) == 3


def test_a_program_that_fails_is_told_with_what_it_said(programs: Path, place: Place) -> None:
    (programs / "pg_dump").write_text("#!/bin/sh\necho server version mismatch >&2; exit 1\n")
    with pytest.raises(BackupError, match="pg_dump must end well; it ended with 1: server version mismatch"):
        backup(place, Schemas())


@pytest.mark.parametrize("asked", ["latest", "20260102T000000Z.dump", "backups/mlops/20260102T000000Z.dump"])
def test_a_backup_is_named_in_three_ways(place: Place, asked: str) -> None:
    for day in (1, 2):
        put(place, f"2026010{day}T000000Z.dump")
    assert find(place, asked) == "backups/mlops/20260102T000000Z.dump"


def test_a_backup_that_is_not_there_is_answered_with_those_that_are(place: Place) -> None:
    put(place, "20260102T000000Z.dump")
    with pytest.raises(NotFoundError, match=r"got '2025\.dump'\. There are: backups/mlops/20260102T000000Z\.dump"):
        find(place, "2025.dump")


def test_a_restore_replaces_everything_in_one_transaction(programs: Path, place: Place) -> None:
    key = backup(place, Schemas())
    restore(place, Schemas(), key=key, asked="latest")
    (call,) = [line for line in (programs / "calls").read_text().splitlines() if line.startswith("psql")]
    assert "--single-transaction --set=ON_ERROR_STOP=1 --set=asked=latest" in call
    assert (programs / "sql").read_text().splitlines() == [
        'DROP SCHEMA IF EXISTS "mlflow" CASCADE;',
        'DROP SCHEMA IF EXISTS "mlflow_users" CASCADE;',
        "dump",
        "DELETE FROM coachworks.restored;",
        "INSERT INTO coachworks.restored (key) VALUES (:'asked');",
    ]


def test_a_backup_that_was_changed_is_not_restored(programs: Path, place: Place) -> None:
    put(place, "20260102T000000Z.dump", b"something else", sha256="0" * 64)
    with pytest.raises(BackupError, match="its SHA-256 differs"):
        restore(place, Schemas(), key=find(place, "latest"), asked="latest")
    assert not (programs / "calls").exists()


def test_the_environment_says_where_backups_go() -> None:
    environ = {"BACKUP_BUCKET": "b", "BACKUP_PREFIX": "p/", "BACKUP_KEEP": "3"}
    assert place_of(environ) == Place(bucket="b", prefix="p/", keep=3)
    assert place_of({}) is None
    with pytest.raises(InvalidConfigError, match="BACKUP_KEEP must be a number of at least 1; got 'all'"):
        place_of(environ | {"BACKUP_KEEP": "all"})
    with pytest.raises(InvalidConfigError, match="keep must be at least 1; got 0"):
        place_of(environ | {"BACKUP_KEEP": "0"})


def test_accounts_do_not_print_their_passwords() -> None:
    accounts = accounts_of(
        {
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_ADMIN_PASSWORD": "tell nobody at all",
            "PIPELINES_USERNAME": "pipelines",
            "PIPELINES_PASSWORD": "nor this one",
        }
    )
    assert [(account.name, account.admin) for account in accounts] == [("admin", True), ("pipelines", False)]
    assert "nobody" not in repr(accounts)
