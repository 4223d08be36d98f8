"""Decoding of source files, in processes that may be killed: their facts, or the reason why they are no photos."""

import atexit
import io
import json
import math
import os
import re
from dataclasses import asdict
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from coachworks.cpu_limit import usable_cores
from coachworks.decoders import Cause, Decoders, Lane, LimitError
from coachworks.errors import PhotoError
from coachworks.photos import EXTENSIONS, MAX_DECODE_BYTES, Reason, decode_cost, photo_key, read_photo
from components.ingest.photo_index import Facts
from components.ingest.quality_measures import MEASURED_PX, measure

SMALL, LARGE = "small", "large"
_MIB = 1024 * 1024
_SMALL_BYTES = 256 * _MIB  # any JPEG of a camera or a phone; other formats up to some 25 megapixels
_FILE_BYTES = 256 * _MIB  # of the file, its copies, and what the allocator keeps
_CPU_S = 20.0  # ten times what the costliest file within the bounds takes
_WALL_S = 600.0  # with the wait for other large files
_HASH = re.compile("[0-9a-f]{16}")
_STARTING = Lock()


def facts_of(data: bytes, photo_id: str) -> Facts:
    """Decode a file in another process and return its facts.

    Args:
        data: Content of the file.
        photo_id: Its SHA-256.

    Raises:
        PhotoError: the file is not a usable photo, or takes too long or too much memory.
        DecodersDownError: no process can be started.
    """
    large = decode_cost(data, at_least_px=MEASURED_PX).memory_bytes > _SMALL_BYTES
    try:
        running = decoders()
        if not large:
            try:
                return _checked(running.run(data, SMALL, wall_s=_WALL_S), photo_id)
            except LimitError as err:
                if err.cause != Cause.MEMORY:
                    raise
        return _checked(running.run(data, LARGE, wall_s=_WALL_S), photo_id)
    except LimitError as err:
        raise PhotoError(err.reason, f"{err}. Save it again as JPEG or PNG.") from err


def photo_facts(data: bytes) -> bytes:
    """Decode a file, in a decoder process, and return its facts as JSON."""
    photo = read_photo(data, at_least_px=MEASURED_PX)
    facts = {
        "width_px": photo.width_px,
        "height_px": photo.height_px,
        "format": photo.format,
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        **asdict(measure(photo.image)),
    }
    return json.dumps(facts).encode("ascii")


def _checked(answer: bytearray, photo_id: str) -> Facts:
    """Return the facts in a decoder's answer, which a crafted file may have written."""
    try:
        facts: dict[str, Any] = json.loads(answer)
        if facts["taken_at"] is not None:
            datetime.fromisoformat(facts["taken_at"])
        numbers = [facts[name] for name in ("width_px", "height_px", "sharpness", "brightness", "contrast")]
        if not all(type(value) in {int, float} and math.isfinite(value) for value in numbers):
            raise ValueError("a number is none")
        if not _HASH.fullmatch(facts["perceptual_hash"]):
            raise ValueError("the hash is none")
        return Facts(photo_id=photo_id, uri=photo_key(photo_id, EXTENSIONS[facts["format"]]), **facts)
    except (ValueError, TypeError, LookupError, RecursionError) as err:
        raise PhotoError(
            Reason.TOO_COSTLY,
            "the file must be decoded without an error of the decoder; it was not. Save it again as JPEG or PNG.",
        ) from err


def decoders() -> Decoders:
    """Return the decoders of this process: started with the first new file, ended with the process."""
    with _STARTING:
        return _decoders(os.getpid())


@cache
def _decoders(pid: int) -> Decoders:
    """Start the decoders of a process; one that was forked from it must not use them, or end them."""
    lanes = (
        Lane(name=SMALL, workers=usable_cores(), cpu_s=_CPU_S, memory_bytes=_SMALL_BYTES + _FILE_BYTES),
        Lane(name=LARGE, workers=1, cpu_s=_CPU_S, memory_bytes=MAX_DECODE_BYTES + _FILE_BYTES),
    )
    running = Decoders(f"{__name__}:{photo_facts.__name__}", lanes, sample=_sample())
    running.start()
    atexit.register(lambda: running.close() if os.getpid() == pid else None)
    return running


def _sample() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()
