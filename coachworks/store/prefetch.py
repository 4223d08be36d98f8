"""Concurrent reads from a remote store."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from coachworks.store.protocol import Store

A = TypeVar("A")
B = TypeVar("B")

_CONCURRENT_READS = 8


def prefetched(store: Store, read: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield `read(item)` for each item, in order; with a remote store, a few items ahead in other threads.

    Args:
        store: The store that `read` reads from.
        read: Reads one item.
        items: The items.
    """
    if not store.remote:
        yield from map(read, items)
        return
    pool = ThreadPoolExecutor(_CONCURRENT_READS, thread_name_prefix="prefetch")
    try:
        pending: deque[Future[B]] = deque()
        for item in items:
            pending.append(pool.submit(read, item))
            if len(pending) > _CONCURRENT_READS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
