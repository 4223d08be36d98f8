"""Object store: photos, features, results and models under POSIX keys, written atomically."""

import unicodedata
from pathlib import Path

from coachworks.errors import InvalidConfigError
from coachworks.s3 import ObjectInfo, split_address
from coachworks.store.bucket import S3Store
from coachworks.store.folder import FolderStore
from coachworks.store.local_cache import machine_folder
from coachworks.store.prefetch import prefetched
from coachworks.store.processes import Process, process_alive, this_process
from coachworks.store.protocol import Store
from coachworks.store.seal import is_sealed, read_record, record_bytes, write_record

__all__ = [
    "FolderStore",
    "ObjectInfo",
    "Process",
    "S3Store",
    "Store",
    "is_sealed",
    "machine_folder",
    "open_store",
    "prefetched",
    "process_alive",
    "read_record",
    "record_bytes",
    "this_process",
    "write_record",
]


def open_store(uri: str) -> Store:
    """Return the store at `uri`: a folder, or `s3://bucket/prefix`.

    Raises:
        InvalidConfigError: the scheme is not supported.
    """
    if uri.startswith("s3://"):
        return S3Store(*split_address(uri))
    if "://" in uri and not uri.startswith("file://"):
        raise InvalidConfigError(
            f"store must be a folder or s3://bucket/prefix; got {uri!r}. Name a local folder, such as ./store."
        )
    if any(unicodedata.category(character) == "Cc" for character in uri):
        raise InvalidConfigError(
            f"store must have no line breaks or other control characters; got {uri!r}. Rename the folder, or name "
            "another one."
        )
    return FolderStore(Path(uri.removeprefix("file://")).absolute())
