"""Cost of decoding a photo file, from its structure alone: within bounds, in milliseconds, without a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

from coachworks.errors import PhotoError
from coachworks.photos import bmp, gif, jpeg, png, tiff, webp
from coachworks.photos.claim import Claim, Reader, check_pixels
from coachworks.photos.formats import MAX_BYTES, Reason, large_file_error, unidentified

# A pod of 2 GiB holds the service, its models and one such photo beside small ones.
MAX_DECODE_BYTES = 1024 * 1024 * 1024
LARGE_PIXELS = 12_000_000  # about 0.1 s of work as JPEG
LARGE_PARTS = 4_096  # at most some 20 ms of work; a scanner writes a strip per row
LARGE_BYTES = 64 * 1024 * 1024  # 12 megapixels as progressive JPEG, 6 as PNG
_FIXED_BYTES = 16 * 1024 * 1024  # of any decoder
_WHITE_AND_TURNED_BYTES = 8  # per pixel: the photo as RGB, and turned by its orientation

_READERS: Sequence[tuple[tuple[bytes, ...], Reader]] = (
    ((b"\xff\xd8\xff",), jpeg.claim),
    ((b"\x89PNG\r\n\x1a\n",), png.claim),
    ((b"GIF87a", b"GIF89a"), gif.claim),
    ((b"BM",), bmp.claim),
    ((b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"), tiff.claim),
)


@dataclass(frozen=True)
class DecodeCost:
    """Cost of decoding a photo.

    Attributes:
        memory_bytes: Upper bound of the memory that it takes, beside the file itself.
        large: Whether it takes so much time or memory that small photos should not wait behind it.
    """

    memory_bytes: int
    large: bool


def decode_cost(data: bytes, *, at_least_px: int | None = None) -> DecodeCost:
    """Return the cost of `decode_photo` with the same arguments, without decoding anything.

    Takes at most some 50 ms, whatever the bytes are.

    Raises:
        PhotoError: the file is not a usable photo, as far as its structure shows, or costs more than any photo should.
    """
    return cost_of(claim_of(data), at_least_px=at_least_px)


def cost_of(claim: Claim, *, at_least_px: int | None = None) -> DecodeCost:
    """Return the cost of a file with this claim; errors as `memory_bytes`."""
    memory = memory_bytes(claim, at_least_px=at_least_px)
    large = claim.pixels > LARGE_PIXELS or claim.parts > LARGE_PARTS or memory > LARGE_BYTES
    return DecodeCost(memory, large)


def claim_of(data: bytes) -> Claim:
    """Return the claim of a file.

    Raises:
        PhotoError: the file is not a usable photo, as far as its structure shows, or asks too much of a decoder.
    """
    if not data:
        raise PhotoError(Reason.EMPTY, "the file is empty")
    if len(data) > MAX_BYTES:
        raise large_file_error(len(data), data[:64])
    claim = _reader(data[:64])(data)
    check_pixels(claim.width_px, claim.height_px)
    return claim


def _reader(head: bytes) -> Reader:
    for heads, reader in _READERS:
        if head.startswith(heads):
            return reader
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return webp.claim
    raise unidentified(head)


def memory_bytes(claim: Claim, *, at_least_px: int | None = None) -> int:
    """Return an upper bound of the memory that decoding takes, in bytes.

    Raises:
        PhotoError: it is over `MAX_DECODE_BYTES`.
    """
    scale = 1
    if claim.scalable and at_least_px is not None:  # as Pillow's `draft` chooses it
        most = min(claim.width_px, claim.height_px) // at_least_px
        scale = next((s for s in (8, 4, 2) if most >= s), 1)
    pixels = -(-claim.width_px // scale) * -(-claim.height_px // scale)
    stages = (
        claim.buffer_bytes + pixels * claim.pixel_bytes,
        pixels * (claim.pixel_bytes + claim.rgb_bytes),
        pixels * _WHITE_AND_TURNED_BYTES,
    )
    memory = max(stages) + _FIXED_BYTES
    if memory > MAX_DECODE_BYTES:
        mib = 1024 * 1024
        raise PhotoError(
            Reason.TOO_COSTLY,
            f"the photo must take at most {MAX_DECODE_BYTES // mib} MiB of memory to decode; as {claim.format} of "
            f"{claim.width_px} x {claim.height_px} pixels it takes {memory // mib}. Scale it down, or save it as JPEG.",
        )
    return memory
