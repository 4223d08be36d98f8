"""A client that posts a good photo again and again, beside others that post something else."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

Post = Callable[[bytes], tuple[int, dict[str, str]]]


@dataclass
class Asked:
    """Answers that a client got: their status and their times, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    without_retry_after: int = 0

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.times, 99)) * 1000

    @property
    def p50_ms(self) -> float:
        return float(np.percentile(self.times, 50)) * 1000


def post(host: str, port: int, photo: bytes) -> tuple[int, dict[str, str]]:
    """Post a photo over a connection of its own; return the status and the headers, in lower case."""
    connection = http.client.HTTPConnection(host, port, timeout=90)
    try:
        connection.request("POST", "/v1/predict", photo, {"Content-Type": "application/octet-stream"})
        response = connection.getresponse()
        response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


@contextmanager
def good_client(post: Post, photo: bytes) -> Iterator[Asked]:
    """Post a small photo every 50 ms or as soon as the last one is answered, until the block ends."""
    asked, over = Asked(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            started = time.perf_counter()
            status, headers = post(photo)
            asked.times.append(time.perf_counter() - started)
            asked.statuses[status] += 1
            asked.without_retry_after += status == 503 and "retry-after" not in headers
            over.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


def quiet(post: Post, photo: bytes, seconds: float) -> Asked:
    """Post a photo for some seconds in which nothing else happens."""
    post(photo)
    with good_client(post, photo) as asked:
        time.sleep(seconds)
    assert set(asked.statuses) == {200}
    return asked
