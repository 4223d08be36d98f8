"""Leases on a store of each kind: one holder at a time, and an end for holders that were killed."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from coachworks import leases
from coachworks.leases import HeldError, acquire, adopt, holder_of, holders_below, seems_held, wait_until
from coachworks.store import FolderStore, Store

NAME = "runs/cars"
ELSEWHERE = {"machine": "0123456789ab", "pid": 1, "started": "77"}


def change_holder(store: Store, **fields) -> None:
    """Rewrite the lease as another machine would have written it."""
    [*_, key] = [key for key in store.list(f"leases/{NAME}") if key.endswith(".json")]
    store.write(key, json.dumps(json.loads(store.read(key)) | fields).encode())


def test_a_second_one_is_refused_by_name_until_the_first_ends(any_store: Store) -> None:
    lease = acquire(any_store, NAME, "run 1")
    with pytest.raises(HeldError, match=rf"run 1, by .* on .* \(process {os.getpid()}\) since 20.* is in progress"):
        acquire(any_store, NAME, "run 2")
    assert [holder.work for holder in holders_below(any_store, "runs")] == ["run 1"]
    acquire(any_store, "runs/trucks", "run 3").end()
    lease.end()
    assert holder_of(any_store, NAME) is None
    acquire(any_store, NAME, "run 2").end()
    assert len(list(any_store.list(f"leases/{NAME}"))) == 1


def test_of_many_that_begin_at_once_one_gets_it(any_store: Store) -> None:
    acquire(any_store, NAME, "earlier").end()
    barrier = threading.Barrier(8)

    def begin(number: int) -> bool:
        barrier.wait()
        try:
            acquire(any_store, NAME, f"run {number}")
        except HeldError:
            return False
        return True

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(begin, range(8))) == 1
        change_holder(any_store, ended=True)


def test_the_lease_of_a_killed_process_ends_with_it(store: FolderStore) -> None:
    code = (
        "import os, sys, pathlib; from coachworks.leases import acquire; from coachworks.store import FolderStore\n"
        f"acquire(FolderStore(pathlib.Path(sys.argv[1])), {NAME!r}, 'run 1'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    assert holder_of(store, NAME) is None
    assert not seems_held(store, NAME, "run 1")
    acquire(store, NAME, "run 2").end()


def test_a_later_process_with_the_same_id_is_not_taken_for_the_holder(store: FolderStore) -> None:
    acquire(store, NAME, "run 1")
    process = leases.this_process()
    if process.started == "0":
        pytest.skip("this system does not tell when a process started")
    change_holder(store, process={"machine": process.machine, "pid": process.pid, "started": "1"})
    assert holder_of(store, NAME) is None


def test_a_holder_on_another_machine_keeps_it_while_it_is_renewed(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire(any_store, NAME, "run 1")
    change_holder(any_store, process=ELSEWHERE, host="other")
    with pytest.raises(HeldError, match=r"on other \(process 1\)") as refused:
        acquire(any_store, NAME, "run 2")
    assert refused.value.holder is not None
    assert refused.value.holder.way_to_stop == (
        "`kill 1` stops it on other; if that machine was lost, it ends by itself in 120 s"
    )
    assert seems_held(any_store, NAME, "run 1")
    monkeypatch.setattr(leases, "EXPIRES_AFTER", timedelta(0))
    assert not seems_held(any_store, NAME, "run 1", margin=timedelta(0))
    acquire(any_store, NAME, "run 2").end()


def test_a_lease_is_renewed_in_the_background_and_ended(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEWAL_S", 0.01)
    lease = acquire(store, NAME, "run 1")
    with lease.renewed():
        while (holder := holder_of(store, NAME)) is not None and holder.renewals < 2:
            pass
    assert holder is not None
    assert holder_of(store, NAME) is None


def test_a_child_takes_the_lease_over_and_its_parent_may_end_it(store: FolderStore) -> None:
    lease = acquire(store, NAME, "run 1")
    change_holder(store, process=ELSEWHERE)
    adopt(store, NAME, "run 1")
    holder = holder_of(store, NAME)
    assert holder is not None
    assert holder.process == leases.this_process()
    lease.end()
    with pytest.raises(HeldError, match=r"the lease of run 1 on .* was taken over meanwhile. Run again."):
        adopt(store, NAME, "run 1")


def test_a_holder_that_was_silent_for_too_long_does_not_end_the_lease_of_the_next(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = acquire(store, NAME, "run 1")
    change_holder(store, process=ELSEWHERE)
    monkeypatch.setattr(leases, "EXPIRES_AFTER", timedelta(0))
    acquire(store, NAME, "run 2")
    silent.end()
    holder = holder_of(store, NAME)
    assert holder is not None
    assert holder.work == "run 2"
    with pytest.raises(HeldError, match=r"the lease of run 1 on .* was taken over meanwhile: run 2, by "):
        adopt(store, NAME, "run 1")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 1}'])
def test_a_damaged_lease_keeps_nobody_out(store: FolderStore, content: bytes) -> None:
    store.write(f"leases/{NAME}/000000007.json", content)
    acquire(store, NAME, "run 1").end()
    assert [key.rpartition("/")[2] for key in store.list(f"leases/{NAME}")] == ["000000008.json"]


def test_a_number_is_not_used_twice(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that looked long ago finds the number after the one it saw unused, and gives it up."""
    acquire(store, NAME, "run 1").end()
    seen = leases._newest(store, NAME)
    acquire(store, NAME, "run 2").end()
    acquire(store, NAME, "run 3")
    newest = leases._newest
    answers = [seen]
    monkeypatch.setattr(leases, "_newest", lambda *arguments: answers.pop() if answers else newest(*arguments))
    with pytest.raises(HeldError, match="run 3"):
        acquire(store, NAME, "late")


def test_waiting_ends_when_the_lease_is_free(store: FolderStore) -> None:
    lease = acquire(store, NAME, "run 1")
    waits: list[str] = []

    def waiting(err: HeldError) -> None:
        waits.append(str(err))
        if len(waits) == 2:
            lease.end()

    wait_until(lambda: acquire(store, NAME, "run 2"), waiting, every_s=0.001).end()
    assert len(waits) == 2


def test_a_user_without_a_name_holds_it_too(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987654)
    acquire(store, NAME, "run 1")
    holder = holder_of(store, NAME)
    assert holder is not None
    assert replace(holder, user="somebody") == holder
