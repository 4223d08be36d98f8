"""How many cores torch uses: all of them for large work, one for small work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_SMALL = 50_000_000  # multiplications per product: a few milliseconds on one core, less than cores cost to wake


@contextmanager
def cores_for(multiplications: int) -> Iterator[None]:
    """Let torch use all cores of this process inside, or one where a product is so small that sharing it costs more.

    On a busy machine threads that wait for one another make small products many times slower.

    Args:
        multiplications: Of one matrix product.
    """
    import torch

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    before = torch.get_num_threads()
    torch.set_num_threads(available if multiplications > _SMALL else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
