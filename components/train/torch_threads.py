"""How many cores torch uses: all of them for large work, one for small work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from coachworks.cpu_limit import usable_cores

_SMALL = 2_000_000_000  # multiplications per product: some 30 ms on one core; below it cores wait more than they work


def wait_politely() -> None:
    """Let torch's threads sleep while they wait; call it before torch is first imported.

    By default they spin: beside another busy process a small product then takes twenty times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def cores_for(multiplications: int) -> Iterator[None]:
    """Let torch use all cores of this process inside, or one where a product is so small that sharing it costs more.

    Args:
        multiplications: Of one matrix product.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(usable_cores() if multiplications > _SMALL else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
