"""Micro-batching: requests that arrive together share one backbone pass."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    outcome: "asyncio.Future[Outcome]"


class MicroBatcher(Generic[Item, Outcome]):
    """Collect items for one call of `run`, which works in a thread of its own, one batch after the other.

    A batch starts as soon as it is full, no further item is expected, or its first item has waited `max_wait_s`. The
    next batch fills while one is running, so batches grow with the load.

    Args:
        run: Computes one outcome per item, in their order.
        max_batch: Largest number of items in a batch.
        max_wait_s: Longest time that an item waits for others, in seconds.
        expected: Returns the number of items in the batcher or on their way to it.
        observe: Called with the size of every batch.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Outcome]],
        *,
        max_batch: int,
        max_wait_s: float,
        expected: Callable[[], int],
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._run, self._max_batch, self._max_wait_s = run, max_batch, max_wait_s
        self._expected, self._observe = expected, observe
        self._queue: asyncio.Queue[_Waiting[Item, Outcome]] = asyncio.Queue()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="backbone")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start processing; call it in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Stop processing after the current batch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._worker.shutdown()

    async def submit(self, item: Item) -> Outcome:
        """Return the outcome of `item`, computed in a batch with others."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(item, outcome))
        return await outcome

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [waiting for waiting in await self._collect() if not waiting.outcome.done()]
            if not batch:
                continue
            self._observe(len(batch))
            try:
                outcomes = await loop.run_in_executor(self._worker, self._run, [waiting.item for waiting in batch])
            except Exception as err:  # any failure belongs to the items of this batch; the next batch must run
                for waiting in batch:
                    if not waiting.outcome.done():
                        waiting.outcome.set_exception(err)
                continue
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(outcome)
            await asyncio.sleep(0)  # let the answered requests finish, so that `expected` no longer counts them

    async def _collect(self) -> list[_Waiting[Item, Outcome]]:
        batch = [await self._queue.get()]
        deadline = asyncio.get_running_loop().time() + self._max_wait_s
        while len(batch) < self._max_batch:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            if len(batch) >= self._expected():
                break
            try:
                async with asyncio.timeout_at(deadline):
                    batch.append(await self._queue.get())
            except TimeoutError:
                break
        return batch
