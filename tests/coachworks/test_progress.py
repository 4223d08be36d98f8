"""Progress that is published to a store."""

import json
import threading

from coachworks.errors import TransientError
from coachworks.progress import StoreProgress
from coachworks.s3 import RetryPolicy, retry
from coachworks.store import S3Store, Store
from faults import REFUSED, FaultyProxy

KEY = "runs/1/progress/embed.json"


def work(store: Store) -> None:
    progress = StoreProgress(store, KEY, step="embed")
    with progress.task("embed", total=500, unit="photos") as task:
        for _ in range(500):
            task.advance()
    progress.note("all of them")
    progress.close("done")


def test_the_last_word_is_published_whatever_the_store(any_store: Store) -> None:
    work(any_store)
    state = json.loads(any_store.read(KEY))
    assert (state["state"], state["notes"], state["task"]) == ("done", ["all of them"], None)


def test_many_advances_cost_few_requests(in_bucket: S3Store, s3_server, monkeypatch) -> None:
    with FaultyProxy(s3_server.url, error_rate=0) as proxy:
        s3_server.lead_to(monkeypatch, proxy.url)
        work(in_bucket)
        assert sum(proxy.counts.values()) <= 4
        s3_server.lead_to(monkeypatch)


def test_a_store_that_fails_does_not_fail_the_step(in_bucket: S3Store, s3_server, monkeypatch) -> None:
    monkeypatch.setattr(retry, "DEFAULT_POLICY", RetryPolicy(initial_wait_s=0.001, max_wait_s=0.002))
    with FaultyProxy(s3_server.url, choose=lambda method, path: REFUSED) as proxy:
        s3_server.lead_to(monkeypatch, proxy.url)
        work(in_bucket)
        assert proxy.counts[REFUSED] >= 8
        s3_server.lead_to(monkeypatch)


def test_the_work_goes_on_while_the_store_keeps_it_waiting(in_bucket: S3Store, monkeypatch) -> None:
    answer = threading.Event()

    def wait(key: str, data: bytes) -> None:
        answer.wait(60)
        raise TransientError("no")

    monkeypatch.setattr(in_bucket, "write", wait)
    progress = StoreProgress(in_bucket, KEY, step="embed")
    with progress.task("embed", total=5, unit="photos") as task:
        task.advance(5)
    answer.set()
    progress.close("done")
