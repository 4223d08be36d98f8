"""Photo files that are crafted to cost a decoder much time or memory, honest in code, the same for the same arguments.

`KINDS` maps each name to a function of the size that the file should have in bytes; kinds whose file is small whatever
it claims ignore the size. `mix` draws any number of them.
"""

import random
from collections.abc import Sequence

import crafted_jpegs
import crafted_others
import crafted_pngs
import crafted_tiffs
from crafted_parts import KINDS, LARGE, MEDIUM, SMALL

__all__ = ["KINDS", "LARGE", "MEDIUM", "SMALL", "mix"]

MODULES = (crafted_jpegs, crafted_tiffs, crafted_pngs, crafted_others)  # they fill the list


def mix(number: int, *, seed: int, sizes: Sequence[int] = (SMALL, MEDIUM)) -> list[tuple[str, bytes]]:
    """Draw `number` crafted files, each with its kind's name."""
    draw = random.Random(seed)  # noqa: S311 — no secret
    names = [draw.choice(sorted(KINDS)) for _ in range(number)]
    return [(name, KINDS[name](draw.choice(list(sizes)))) for name in names]
