"""Number of cores that torch uses: all for large matrix products, one for small ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from coachworks.cpu_limit import usable_cores

_SMALL = (
    2_000_000_000  # multiplications per product, some 30 ms on one core; below it cores wait longer than they compute
)


@contextmanager
def cores_for(multiplications: int) -> Iterator[None]:
    """Let torch use all cores of this process in the block, or one where a product is too small to be shared.

    Args:
        multiplications: Number of multiplications of one matrix product.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(usable_cores() if multiplications > _SMALL else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
