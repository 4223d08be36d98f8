"""Folders for the files of a store that belong to this machine: locks, logs, and copies of a bucket's objects."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from coachworks.digests import digest_bytes
from coachworks.store.folder import FolderStore
from coachworks.store.protocol import Store

CACHE_VARIABLE = "COACHWORKS_CACHE"


def machine_folder(store: Store, environ: Mapping[str, str] = os.environ) -> Path:
    """Return this machine's folder for `store`: the store itself if it is a folder, else one in the user's cache.

    The cache is `COACHWORKS_CACHE`, else `coachworks` under `XDG_CACHE_HOME` or `~/.cache`, else, if that is not
    writable (as in a pod), a folder among the temporary files.
    """
    if isinstance(store, FolderStore):
        return store.root
    return cache_folder(store.uri, environ)


def cache_folder(uri: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in the cache for the store at `uri`."""
    name = re.sub(r"[^a-z0-9.-]+", "-", uri.removeprefix("s3://").lower()).strip("-.")[:60]
    return _root(environ) / "stores" / f"{name}-{digest_bytes(uri.encode())[:8]}"


def _root(environ: Mapping[str, str]) -> Path:
    if environ.get(CACHE_VARIABLE):
        return Path(environ[CACHE_VARIABLE]).expanduser().absolute()
    try:
        base = Path(environ["XDG_CACHE_HOME"]) if environ.get("XDG_CACHE_HOME") else Path.home() / ".cache"
        (base / "coachworks").mkdir(parents=True, exist_ok=True)
        if os.access(base / "coachworks", os.W_OK):
            return base / "coachworks"
    except (OSError, RuntimeError):  # no home directory, or a read-only one
        pass
    return Path(tempfile.gettempdir()) / f"coachworks-{os.getuid()}"
