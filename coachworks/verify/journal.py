"""Journal of a verification: what was intact, so that an interrupted one goes on where it stopped."""

import json
import threading
import time
from pathlib import Path

from coachworks.store.contents import Content

_VALID_S = 24 * 3600  # what was read longer ago is read again


class Journal:
    """Intact contents of an interrupted verification, in a file of this machine.

    Args:
        path: The file.
        fresh: Ignore what an earlier verification wrote.
    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self._path, self._lock = path, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh or not path.exists() or path.stat().st_mtime < time.time() - _VALID_S:
            path.write_bytes(b"")
        self._intact: dict[tuple[str, str], tuple[str, bool]] = {}
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                form, key, stamp, digests = json.loads(line)
            except ValueError:  # the process was killed while it wrote the last line
                continue
            self._intact[form, key] = stamp, digests
        self._file = path.open("a", encoding="utf-8", errors="surrogatepass")

    def intact(self, content: Content) -> bool | None:
        """Return None where a content must be read; else whether it had digests."""
        stamp, digests = self._intact.get((content.form, content.key), ("", False))
        return digests if content.stamp and stamp == content.stamp else None

    def add(self, content: Content, *, digests: bool) -> None:
        """Note that a content is intact."""
        line = json.dumps([content.form, content.key, content.stamp, digests])
        with self._lock:
            self._file.write(f"{line}\n")
            self._file.flush()

    def close(self, *, done: bool) -> None:
        """Close the journal; remove it if the verification is done."""
        self._file.close()
        if done:
            self._path.unlink(missing_ok=True)
