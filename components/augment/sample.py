"""Choice of some photos that show as many labels as possible."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def chosen(labels: "pd.DataFrame", count: int) -> list[str]:
    """Choose photos that show as many labels as possible: one of each label in turn, in a pseudo-random order."""
    photos: dict[tuple[str, str], list[str]] = {}
    for photo_id, skill, label in zip(labels["photo_id"], labels["skill"], labels["label"], strict=True):
        photos.setdefault((skill, label), []).append(str(photo_id))
    piles = [iter(sorted(pile, key=_random_order)) for pile in photos.values()]
    taken: dict[str, None] = {}
    while piles and len(taken) < count:
        for pile in list(piles):
            photo_id = next((candidate for candidate in pile if candidate not in taken), None)
            if photo_id is None:
                piles.remove(pile)
            else:
                taken[photo_id] = None
    return list(taken)[:count]


def _random_order(photo_id: str) -> bytes:
    return hashlib.sha256(photo_id.encode()).digest()
