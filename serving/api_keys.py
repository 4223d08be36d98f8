"""API keys of the service: a folder with a file per key, as Kubernetes mounts a Secret.

The name of a file is the name of the key in the access log and the metrics; keys themselves are never logged. The
folder is read again while the service runs, so that keys are added and withdrawn without a restart.
"""

import hmac
import logging
import os
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from coachworks.errors import DataError

logger = logging.getLogger(__name__)

KEYS_VARIABLE = "COACHWORKS_API_KEYS"  # folder of the keys; unset: every request is answered
REREAD_S = 1.0
_MIN_LENGTH, _MAX_LENGTH = 20, 512
_RULE = f"must hold {_MIN_LENGTH} to {_MAX_LENGTH} printable ASCII characters without spaces"
_WAY_OUT = (
    "Make one with `kubectl create secret generic NAME --from-literal=CLIENT=$(openssl rand -hex 32)`, or with "
    "`openssl rand -hex 32 > FOLDER/CLIENT`."
)


class ApiKeys:
    """The keys in a folder, held as SHA-256 digests.

    Args:
        folder: Folder with a file per key; names that begin with a dot are left out.

    Raises:
        DataError: the folder holds no key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, bytes] = {}
        self._problems: list[str] = []
        self._read()
        if not self._digests:
            problems = "; ".join(self._problems) or "it is empty"
            raise DataError(f"the folder of API keys, {folder}, must hold at least one key: {problems}. {_WAY_OUT}")

    def name_of(self, key: str) -> str | None:
        """Return the name of `key`; None if it is not one of the keys. The time taken does not depend on the keys."""
        if time.monotonic() - self._read_at >= REREAD_S:
            self._read()
        digest, name = sha256(key.encode("utf-8", "surrogateescape")).digest(), None
        for candidate, known in self._digests.items():
            if hmac.compare_digest(known, digest):
                name = candidate
        return name

    def _read(self) -> None:
        self._read_at = time.monotonic()
        problems: list[str] = []
        self._digests = dict(_digests(self._folder, problems))
        for problem in problems:
            if problem not in self._problems:
                logger.error("API keys: %s", problem)
        self._problems = problems


def api_keys_of(environ: Mapping[str, str] = os.environ) -> ApiKeys | None:
    """Read the keys in the folder that COACHWORKS_API_KEYS names; None if it is not set.

    Raises:
        DataError: the folder holds no key.
    """
    folder = environ.get(KEYS_VARIABLE)
    return ApiKeys(Path(folder)) if folder else None


def _digests(folder: Path, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and digest of each key; append a sentence about each file that holds none."""
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as err:
        problems.append(f"it cannot be read: {err.strerror}")
        return
    for file in files:
        try:
            with file.open("rb") as stream:
                key = stream.read(_MAX_LENGTH + 3).rstrip(b"\r\n")
        except OSError as err:
            problems.append(f"{file.name} cannot be read: {err.strerror}")
            continue
        if not _MIN_LENGTH <= len(key) <= _MAX_LENGTH:
            problems.append(f"{file.name} {_RULE}; it holds {len(key)}")
        elif not all(0x21 <= byte <= 0x7E for byte in key):
            problems.append(f"{file.name} {_RULE}; it holds others")
        else:
            yield file.name, sha256(key).digest()
