"""Asking a store for several things: side by side where every answer takes its time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from coachworks.store.protocol import Store

A = TypeVar("A")
B = TypeVar("B")

_AT_ONCE = 8


def prefetched(store: Store, ask: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """What `ask`, which reads from `store`, gives for each item, in order; a remote store is asked for a few ahead."""
    if not store.remote:
        yield from map(ask, items)
        return
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="prefetch")
    try:
        asked: deque[Future[B]] = deque()
        for item in items:
            asked.append(pool.submit(ask, item))
            if len(asked) > _AT_ONCE:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
