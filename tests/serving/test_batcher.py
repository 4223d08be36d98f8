import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from serving.batcher import MicroBatcher


def run_together(items: Sequence[int], *, expected: int | None = None, max_batch: int = 4, max_wait_s: float = 0.05):
    sizes: list[int] = []

    def double(batch: Sequence[int]) -> list[int]:
        return [2 * item for item in batch]

    async def main() -> list[int]:
        batcher = MicroBatcher[int, int](
            double,
            max_batch=max_batch,
            max_wait_s=max_wait_s,
            expected=lambda: len(items) if expected is None else expected,
            observe=sizes.append,
        )
        batcher.start()
        try:
            return await asyncio.gather(*(batcher.submit(item) for item in items))
        finally:
            await batcher.stop()

    return asyncio.run(main()), sizes


def test_items_that_arrive_together_share_a_batch():
    outcomes, sizes = run_together([1, 2, 3])
    assert outcomes == [2, 4, 6]
    assert sizes == [3]


def test_a_batch_is_never_larger_than_allowed():
    outcomes, sizes = run_together(list(range(10)))
    assert outcomes == [2 * i for i in range(10)]
    assert max(sizes) == 4
    assert sum(sizes) == 10


def test_an_item_does_not_wait_when_no_other_is_expected():
    started = time.monotonic()
    _, sizes = run_together([1], max_wait_s=60)
    assert sizes == [1]
    assert time.monotonic() - started < 30


def test_an_item_waits_no_longer_than_allowed_for_items_that_never_come():
    started = time.monotonic()
    outcomes, _ = run_together([1], expected=9, max_wait_s=0.1)
    assert outcomes == [2]
    assert time.monotonic() - started > 0.08


def test_a_failing_batch_fails_its_own_items_and_the_next_goes_on():
    def run(batch: Sequence[int]) -> list[int]:
        if 13 in batch:
            raise ValueError("unlucky")
        return list(batch)

    async def main() -> None:
        batcher = MicroBatcher[int, int](run, max_batch=1, max_wait_s=0, expected=lambda: 1)
        batcher.start()
        try:
            with pytest.raises(ValueError, match="unlucky"):
                await batcher.submit(13)
            assert await batcher.submit(1) == 1
        finally:
            await batcher.stop()

    asyncio.run(main())


def test_an_item_whose_client_is_gone_is_not_computed():
    seen: list[int] = []
    door = threading.Event()

    def run(batch: Sequence[int]) -> list[int]:
        door.wait(5)
        seen.extend(batch)
        return list(batch)

    async def main() -> None:
        batcher = MicroBatcher[int, int](run, max_batch=1, max_wait_s=0, expected=lambda: 1)
        batcher.start()
        first = asyncio.create_task(batcher.submit(1))
        gone = asyncio.create_task(batcher.submit(2))
        last = asyncio.create_task(batcher.submit(3))
        await asyncio.sleep(0.05)
        gone.cancel()
        door.set()
        assert await asyncio.gather(first, last) == [1, 3]
        await batcher.stop()

    asyncio.run(main())
    assert seen == [1, 3]
