"""Directories of tags, as in TIFF files and in EXIF: read within bounds, since Pillow reads every value."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coachworks.photos.claim import at_most, damaged

_ORDERS = {b"MM": ">", b"II": "<"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # bytes by type
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q"}
_BYTES = {1, 2, 6, 7}  # types that Pillow keeps as bytes, at no cost
_EXIF, _GPS = 0x8769, 0x8825

# A camera writes some 100 tags, with some 100 numbers. Pillow takes 3 µs per tag and up to 2 µs per number.
MAX_TAGS = 2_000
MAX_NUMBERS = 10_000
MAX_TIFF_NUMBERS = 1_000_000  # palettes and transfer functions of 16 bits; offsets have a bound of their own
MAX_EXIF_BYTES = 4 * 1024 * 1024  # the standard allows 64 KiB


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: type, number of values, and where they lie in the file."""

    kind: int
    count: int
    offset: int


class Directory:
    """A directory of tags.

    Args:
        data: The whole file, or the whole EXIF.
        offset: Place of the directory in `data`.
        order: Byte order, `<` or `>`.
        big: Whether it is of a BigTIFF file.

    Raises:
        PhotoError: it has more tags than a decoder can be asked to read.
    """

    def __init__(self, data: bytes, offset: int, order: str, *, big: bool = False) -> None:
        self._data, self._order, self._big = data, order, big
        self.repeated: set[int] = set()
        self._entries: dict[int, Entry] = {}
        for tag, entry in self._read(offset):
            if tag in self._entries:
                self.repeated.add(tag)
            self._entries.setdefault(tag, entry)

    def _read(self, offset: int) -> Iterator[tuple[int, Entry]]:
        counted, entry = ("Q", "HHQ8x") if self._big else ("H", "HHI4x")
        inline, pointer = (8, "Q") if self._big else (4, "I")
        start = offset + struct.calcsize(self._order + counted)
        if not 0 <= offset <= start <= len(self._data):
            return
        (number,) = struct.unpack_from(self._order + counted, self._data, offset)
        at_most(MAX_TAGS, "tags per directory", number)
        size = struct.calcsize(self._order + entry)
        whole = min(number, (len(self._data) - start) // size)
        view = memoryview(self._data)[start : start + whole * size]
        for i, (tag, kind, count) in enumerate(struct.iter_unpack(self._order + entry, view)):
            place = start + (i + 1) * size - inline
            if count * _SIZES.get(kind, 0) > inline:
                (place,) = struct.unpack_from(self._order + pointer, self._data, place)
            if kind in _SIZES:
                yield tag, Entry(kind, count, place)

    def count(self, tag: int) -> int:
        """Return the number of values of a tag; 0 if there is no such tag."""
        entry = self._entries.get(tag)
        return entry.count if entry else 0

    def integers(self, tag: int, *, most: int = 1_000_000) -> Sequence[int]:
        """Return the whole numbers of a tag, at most the first `most`; none if it has none."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS:
            return ()
        form, size = _INTEGERS[entry.kind], _SIZES[entry.kind]
        number = min(entry.count, most, max(0, len(self._data) - entry.offset) // size)
        return struct.unpack_from(f"{self._order}{number}{form}", self._data, min(entry.offset, len(self._data)))

    def integer(self, tag: int, default: int) -> int:
        """Return the first whole number of a tag; `default` if there is no such tag.

        Raises:
            PhotoError: the tag holds something else.
        """
        if tag not in self._entries:
            return default
        values = self.integers(tag, most=1)
        if not values:
            raise damaged()
        return values[0]

    def numbers(self, without: Mapping[int, object] | Sequence[int] = ()) -> int:
        """Return how many numbers all tags hold together, without those of some tags."""
        return sum(e.count for tag, e in self._entries.items() if e.kind not in _BYTES and tag not in without)

    def check_exif(self) -> None:
        """Bound the numbers in the directories of EXIF and GPS that this one points to.

        Raises:
            PhotoError: there are more than a decoder can be asked to read.
        """
        for tag in (_EXIF, _GPS):
            for offset in self.integers(tag, most=1):
                at_most(MAX_NUMBERS, "numbers in its EXIF", Directory(self._data, offset, self._order).numbers())


def check_exif(exif: bytes) -> None:
    """Bound the work of reading EXIF, with or without the name that stands before it in JPEG files.

    Raises:
        PhotoError: it is larger, or has more tags or numbers, than a decoder can be asked to read.
    """
    at_most(MAX_EXIF_BYTES, "bytes of EXIF", len(exif))
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = _ORDERS.get(exif[:2])
    if order is None or len(exif) < 8:
        return
    first = Directory(exif, struct.unpack_from(order + "I", exif, 4)[0], order)
    at_most(MAX_NUMBERS, "numbers in its EXIF", first.numbers())
    first.check_exif()


def byte_order(head: bytes) -> str:
    """Return the byte order of a TIFF file, `<` or `>`.

    Raises:
        PhotoError: its first bytes are not those of a TIFF file.
    """
    order = _ORDERS.get(head[:2])
    if order is None:
        raise damaged()
    return order
