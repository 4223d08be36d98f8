"""Functions for decoder processes that do what crafted files make decoders do; the file's content picks one."""

import ctypes
import hashlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from coachworks.errors import PhotoError
from coachworks.models import preprocess
from coachworks.photos import LargePhotoError, Reason, read_photo

_KEPT: list[bytearray] = []


def act(data: bytes, *, suffix: str = "", small_only: bool = False) -> bytes:
    """Do what `data` names, such as `busy`; return anything else with the suffix."""
    name, _, argument = data.decode("utf-8", "replace").partition(":")
    actions: dict[str, Any] = {
        "busy": _busy,
        "sleep": lambda: time.sleep(float(argument)),
        "allocate": lambda: _KEPT.append(bytearray(int(argument))),
        "use": lambda: len(b"x" * int(argument)),
        "exit": lambda: os._exit(3),
        "segfault": lambda: ctypes.string_at(0),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "garbage": lambda: [os.write(descriptor, b"\xff" * 64) for descriptor in _descriptors()],
        "refuse": lambda: _raise(PhotoError(Reason.NOT_A_PHOTO, "the file is not an image")),
        "unknown-reason": lambda: _raise(PhotoError("made-up", "no reason")),
        "defect": lambda: _raise(KeyError("defect")),
        "large": lambda: small_only and _raise(LargePhotoError(Reason.TOO_COSTLY, "the photo must be a small one")),
        "open": lambda: Path("/etc/hostname").read_bytes(),
        "connect": socket.socket,
        "fork": os.fork,
        "import": lambda: __import__("wave"),
    }
    if name == "state":
        return json.dumps(
            {
                "pid": os.getpid(),
                "parent": os.getppid(),
                "niceness": os.nice(0),
                "environment": dict(os.environ),
                "modules": sorted(sys.modules),
                "length": len(argument),
            }
        ).encode()
    if name in actions:
        actions[name]()
    return data + suffix.encode()


def rgb_input(data: bytes, **options: Any) -> bytes:
    """Return the backbone's input for a photo, after what its end names: `photo + b"act:busy"`."""
    photo, marker, action = data.rpartition(b"act:")
    pixels = preprocess.rgb_input(photo or data, **options)
    if marker:
        act(action)
    return pixels


def _busy() -> None:
    while True:
        pass


def _raise(err: Exception) -> None:
    raise err


def _descriptors() -> list[int]:
    return [int(name) for name in range(3, 64) if _is_open(name)]


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def never(data: bytes) -> bytes:
    """Fail on every file."""
    os._exit(4)


def read(data: bytes) -> bytes:
    """Return what is read of a photo, and the modules that are loaded afterwards, as JSON."""
    photo = read_photo(data, at_least_px=32)
    facts = [photo.width_px, photo.height_px, photo.format, str(photo.taken_at), hash_of(photo.image.tobytes())]
    return json.dumps({"facts": facts, "modules": sorted(sys.modules)}).encode()


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
