"""The places for photos between upload and answer, given away before the upload."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.errors import Code, RefusalError

_UPLOAD_S = 0.5  # a place is kept for a slow upload as long as this; slow clients must not hold all places


class WaitingRoom:
    """A limited number of places for photos.

    A photo without a place is refused before it is uploaded: reading it would take time from those that have one. An
    upload that takes long loses its place, and needs one again when it is complete.

    Args:
        places: Largest number of photos that are being uploaded or wait for answers.
        observe: Called with the number of uploaded photos when it changes.

    Attributes:
        uploaded: Number of photos between upload and answer.
    """

    def __init__(self, places: int, observe: Callable[[int], None] = lambda uploaded: None) -> None:
        self._places, self._observe = places, observe
        self._taken = self.uploaded = 0

    def check(self) -> None:
        """Raise if no place is free.

        Raises:
            RefusalError: no place is free.
        """
        if self._taken >= self._places:
            raise RefusalError(Code.OVERLOADED, f"{self._taken} photos are already waiting for answers")

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Keep a place for the photo that is uploaded inside the block, while its upload is quick.

        Raises:
            RefusalError: no place is free.
        """
        self.check()
        self._taken += 1
        kept = True

        def give_back() -> None:
            nonlocal kept
            if kept:
                kept = False
                self._taken -= 1

        timer = asyncio.get_running_loop().call_later(_UPLOAD_S, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Hold a place for an uploaded photo inside the block, until it is answered.

        Raises:
            RefusalError: no place is free.
        """
        self.check()
        self._taken += 1
        self._count(1)
        try:
            yield
        finally:
            self._taken -= 1
            self._count(-1)

    def _count(self, change: int) -> None:
        self.uploaded += change
        self._observe(self.uploaded)
