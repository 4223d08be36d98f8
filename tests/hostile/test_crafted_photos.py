"""Files that are crafted to cost a decoder much time or memory, and mutated ones, one after the other."""

import hashlib
import io
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from crafted_photos import KINDS, LARGE, MEDIUM, SMALL
from PIL import Image

from coachworks.decoders import Decoders, Lane, LimitError
from coachworks.errors import PhotoError
from coachworks.photos import MAX_DECODE_BYTES, decode_cost
from components.ingest.decoding import photo_facts

pytestmark = pytest.mark.hostile

CPU_S = 5.0  # three times what the costliest file took that the bounds let through
_MIB = 1024 * 1024
MEMORY_BYTES = MAX_DECODE_BYTES + 256 * _MIB
SCAN_S = 0.25  # on a busy machine; 0.03 on an idle one
Measured = Callable[[str, str, str], None]


def honest_photos() -> Iterator[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for size in ((64, 48), (400, 300)):
        image = Image.fromarray(pixels).resize(size)
        for file_format, options in [
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("PNG", {}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True}),
            ("BMP", {}),
            ("GIF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "jpeg"}),
        ]:
            file = io.BytesIO()
            image.save(file, file_format, **options)
            yield file.getvalue()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    lane = Lane(name="all", workers=1, cpu_s=CPU_S, memory_bytes=MEMORY_BYTES)
    with Decoders(f"{photo_facts.__module__}:{photo_facts.__name__}", [lane], sample=next(honest_photos())) as pool:
        yield pool


def outcome(decoders: Decoders, data: bytes) -> str:
    try:
        decoders.run(data, "all", wall_s=120)
    except LimitError as err:
        return f"over {err.cause}"
    except PhotoError as err:
        return str(err.reason)
    return "decoded"


def test_no_crafted_file_takes_more_than_seconds_or_more_memory_than_a_photo_may(
    decoders: Decoders, measured: Measured
) -> None:
    outcomes: dict[str, str] = {}
    seen: set[str] = set()
    longest_s = 0.0
    for name, make in KINDS.items():
        for size in (SMALL, MEDIUM, LARGE):
            data = make(size)
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                continue
            seen.add(digest)
            began = time.process_time()
            with suppress(PhotoError):
                decode_cost(data)
            longest_s = max(longest_s, time.process_time() - began)
            outcomes[f"{name} {size}"] = outcome(decoders, data)
    over = {name: text for name, text in outcomes.items() if text.startswith("over")}
    assert not over
    assert longest_s < SCAN_S
    counts = Counter(outcomes.values())
    measured(
        f"{len(outcomes)} crafted photos of {len(KINDS)} kinds, up to 33 MB",
        f"refused by its structure, or decoded within {CPU_S:g} s of processor time and {MEMORY_BYTES // _MIB} MiB",
        f"{counts['too-costly'] + counts['too-many-pixels']} refused, {counts['decoded']} decoded, "
        f"{counts['truncated']} damaged, none over; the structure was read in at most {longest_s * 1000:.0f} ms",
    )


def test_ten_thousand_mutated_files_are_photos_or_refused_with_a_reason(decoders: Decoders, measured: Measured) -> None:
    draw = random.Random(17)  # noqa: S311 — no secret
    # Without the kinds that claim many pixels: decoding some thousand of them would take an hour.
    small = [make(2_000) for name, make in KINDS.items() if not name.endswith("claim")]
    seeds = [*honest_photos(), *(data for data in small if len(data) < 10_000)]
    counts: Counter[str] = Counter()
    for _ in range(10_000):
        counts[outcome(decoders, mutated(draw.choice(seeds), draw))] += 1
    assert not {reason for reason in counts if reason.startswith("over")}
    measured(
        "10,000 mutated photos, honest and crafted ones",
        "each is decoded or refused with a reason",
        ", ".join(f"{number} {reason}" for reason, number in counts.most_common()),
    )


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Change some bytes, mostly near the start; cut, repeat or exchange a part."""
    content = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = min(
            len(content) - 1, int(draw.expovariate(1 / 200)) if draw.random() < 0.7 else draw.randrange(len(content))
        )
        match draw.randrange(6):
            case 0:
                content[at] = draw.randrange(256)
            case 1:
                content[at] ^= 1 << draw.randrange(8)
            case 2:
                content[at : at + 4] = draw.choice(
                    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\xff\xff"]
                )
            case 3:
                del content[at : at + draw.randint(1, 40)]
            case 4:
                content[at:at] = content[at : at + draw.randint(1, 400)] * draw.randint(1, 20)
            case _:
                del content[max(1, len(content) - draw.randint(1, 200)) :]
        content = content or bytearray(b"\xff")
    return bytes(content)
