"""Structure of JPEG files: segments, scans, and the work that the scans ask of a decoder."""

import re
import struct
from dataclasses import dataclass, field

from coachworks.photos.claim import Claim, at_most, check_pixels, damaged
from coachworks.photos.directory import MAX_EXIF_BYTES, check_exif

# Phones and editors fill their segments (profiles, depth maps in extended XMP), and the largest file has room for 640
# full ones; they write 10 to 20 scans. Reading 1,000 segments takes up to 6 ms.
MAX_SEGMENTS = 1_000
MAX_LOOSE_BYTES = 1024 * 1024  # between segments: Pillow reads them one by one, at 0.1 µs each
MAX_TABLE_BYTES = 65_536  # of quantisation tables: 4 of 65 or 129 bytes are usual; Pillow takes 10 µs for each
MAX_RESOURCES = 20_000  # of Photoshop: usual are some 30
MAX_JOINED_BYTES = 500_000_000  # Pillow copies the EXIF before it with each further segment of EXIF
# Scans cost the decoder time even if they are empty. An 80-megapixel progressive photo with full colour, written with
# ten scans as usual, takes 0.6 s of these; the bound is more than twice that.
MAX_SCAN_NS = 1_500_000_000
_BLOCK_NS, _COEFFICIENT_NS = 15, 1  # measured on empty scans with restart markers, and on empty refinements
_ARITHMETIC_NS = 16  # per coefficient: arithmetic coding goes on without data; no camera writes it

_SOI, _EOI, _SOS, _DQT, _DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE, _ARITHMETIC = frozenset({0xC2, 0xC6, 0xCA, 0xCE}), frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # markers without a length
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_NEAR, _WINDOW = 256, 1 << 17


@dataclass
class Frame:
    """The start of a frame: how the pixels are coded."""

    marker: int
    width_px: int
    height_px: int
    sampling: list[tuple[int, int, int]]  # id, and factors across and down, of each component

    def blocks(self, parts: bytes) -> int:
        """Return the blocks of 8 x 8 coefficients that a scan of these components visits; all if there is none."""
        across = max((h for _, h, _ in self.sampling), default=1) * 8
        down = max((v for _, _, v in self.sampling), default=1) * 8
        units = -(-self.width_px // across) * -(-self.height_px // down)
        return sum(units * h * v for name, h, v in self.sampling if not parts or name in parts)


@dataclass
class Jpeg:
    """The parts of a JPEG stream, or of several, that cost a decoder something.

    Attributes:
        most_segments: Largest number of segments to accept.
        frame: The largest frame of the last stream; None if there is none.
        scan_ns: Time that all scans take even if they are empty.
        scans: Number of scans of the last stream.
        segments: Number of segments of all streams.
    """

    most_segments: int = MAX_SEGMENTS
    frame: Frame | None = None
    scan_ns: int = 0
    scans: int = 0
    segments: int = 0
    _several: bool = False
    _exif: list[bytes] = field(default_factory=list)
    _exif_bytes: int = 0
    _joined_bytes: int = 0
    _loose_bytes: int = 0
    _table_bytes: int = 0
    _resources: int = 0

    def read(self, data: bytes, start: int, end: int) -> None:
        """Read a stream from its start of image to its end, or to the end of the data.

        Raises:
            PhotoError: it asks more of a decoder than an honest photo.
        """
        self.frame, self.scans, self._several = None, 0, False
        at = start + 2
        while (place := _next_marker(data, at, end)) is not None:
            if not self.scans:
                self._loose_bytes += place - at
                at_most(MAX_LOOSE_BYTES, "bytes between segments", self._loose_bytes)
            marker = data[place + 1]
            if marker == _EOI:
                break
            at = place + 2
            self.segments += 1
            at_most(self.most_segments, "segments", self.segments)
            if marker in _ALONE:
                continue
            length = int.from_bytes(data[at : at + 2], "big")
            if length < 2 or at + length > end:
                break
            self._segment(marker, data[at + 2 : at + length])
            at += length
        check_exif(b"".join(self._exif))

    @property
    def parts(self) -> int:
        """Segments, and bytes between them, which the decoder reads one by one."""
        return self.segments + self._loose_bytes

    @property
    def coefficient_bytes(self) -> int:
        """Bytes of the coefficients that the decoder keeps: all if there are several scans, else none."""
        return 128 * self.frame.blocks(b"") if self.frame and self._several else 0

    def _segment(self, marker: int, body: bytes) -> None:
        if marker in _FRAMES:
            self._start_frame(marker, body)
        elif marker == _SOS:
            self._scan(body)
        elif marker == _DQT:
            self._table_bytes += len(body)
            at_most(MAX_TABLE_BYTES, "bytes of quantisation tables", self._table_bytes)
        elif marker == _DNL:  # the decoder takes no notice of it
            pass
        elif body.startswith(b"Exif\0\0"):
            self._exif.append(body[6:])
            self._exif_bytes += len(body)
            self._joined_bytes += self._exif_bytes
            at_most(MAX_EXIF_BYTES, "bytes of EXIF", self._exif_bytes)
            at_most(MAX_JOINED_BYTES, "bytes of EXIF to join", self._joined_bytes)
        elif body.startswith(b"Photoshop 3.0\0"):
            self._resources += body.count(b"8BIM")
            at_most(MAX_RESOURCES, "Photoshop resources", self._resources)

    def _start_frame(self, marker: int, body: bytes) -> None:
        if len(body) < 6:
            return
        height, width, number = struct.unpack_from(">HHB", body, 1)
        check_pixels(width, height)
        parts = [body[i : i + 3] for i in range(6, min(len(body) - 2, 6 + 3 * number), 3)]
        frame = Frame(marker, width, height, [(p[0], max(1, p[1] >> 4), max(1, p[1] & 15)) for p in parts])
        if self.frame is None or frame.blocks(b"") >= self.frame.blocks(b""):
            self.frame = frame
        self._several |= marker in _PROGRESSIVE

    def _scan(self, body: bytes) -> None:
        self.scans += 1
        if self.frame is None or len(body) < 4:
            return
        number = body[0]
        parts = body[1 : 1 + 2 * number : 2]
        first, last, bits = body[-3:]
        refines = bits >> 4 > 0 and first > 0
        coefficient_ns = _ARITHMETIC_NS if self.frame.marker in _ARITHMETIC else _COEFFICIENT_NS * refines
        self._several |= len(parts) < len(self.frame.sampling)
        blocks = self.frame.blocks(parts)
        self.scan_ns += blocks * (_BLOCK_NS + coefficient_ns * max(1, min(last, 63) - first + 1))
        if self.scan_ns > MAX_SCAN_NS:
            pixels = f"{self.frame.width_px} x {self.frame.height_px}"
            at_most(self.scans - 1, f"scans for {pixels} pixels", self.scans)


def _next_marker(data: bytes, at: int, end: int) -> int | None:
    """Return the place of the next marker that is not a restart marker; None if there is none.

    Vectorised after the first bytes: 40 MiB take 20 ms whatever they hold.
    """
    import numpy as np

    near = _MARKER.search(data, at, min(end, at + _NEAR))
    if near:
        return near.start()
    size = 1024
    at = max(at, min(end, at + _NEAR) - 1)
    while at + 1 < end:
        window = np.frombuffer(data, np.uint8, min(size + 1, end - at), at)
        second = window[1:]
        hits = (window[:-1] == 0xFF) & (second != 0) & (second != 0xFF) & ((second & 0xF8) != 0xD0)
        place = int(hits.argmax())
        if hits[place]:
            return at + place
        at += len(hits)
        size = min(4 * size, _WINDOW)
    return None


def claim(data: bytes) -> Claim:
    """Return the claim of a JPEG file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no frame.
    """
    jpeg = Jpeg()
    jpeg.read(data, 0, len(data))
    frame = jpeg.frame
    if frame is None:
        raise damaged()
    components = len(frame.sampling)
    return Claim(
        format="JPEG",
        width_px=frame.width_px,
        height_px=frame.height_px,
        pixel_bytes=1 if components == 1 else 4,
        rgb_bytes=0 if components == 3 else 4,
        buffer_bytes=jpeg.coefficient_bytes,
        parts=jpeg.parts,
        scalable=True,
    )
