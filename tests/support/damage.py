"""Damage to the files of a store: as a disk, a power cut or a person leaves them."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from coachworks.digests import digest_bytes
from coachworks.store import FolderStore, S3Store, Store

BLOCK = 4096


def flip_bit(data: bytes) -> bytes:
    """Return data with one bit flipped; the place is chosen by the data, so that it is the same every time."""
    place = random.Random(len(data)).randrange(len(data))  # noqa: S311 — nothing secret
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def zero_block(data: bytes) -> bytes:
    """Return data with a block of 4 KiB, aligned, or all of them if there are fewer, as zeros."""
    start = len(data) // 2 // BLOCK * BLOCK
    block = data[start : start + BLOCK]
    return data[:start] + bytes(len(block)) + data[start + BLOCK :]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "a bit flipped": flip_bit,
    "a block zeroed": zero_block,
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "removed": lambda data: None,
}


class Files:
    """The files of a store as they lie on its disk or in its bucket, manifests included.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seconds = 0

    def list(self) -> list[str]:
        """Return the keys of all files, sorted; links of a folder have no content and are left out."""
        return sorted(self._keys())

    def _keys(self) -> Iterator[str]:
        if isinstance(self._store, FolderStore):
            root = self._store.root
            for path in root.rglob("*"):
                if path.is_file() and not any(part.is_symlink() for part in (path, *path.parents)):
                    yield path.relative_to(root).as_posix()
            return
        client, bucket, prefix = self._bucket()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (entry["Key"][len(prefix) :] for entry in page.get("Contents", ()))

    def read(self, key: str) -> bytes:
        """Return the content of a file."""
        if isinstance(self._store, FolderStore):
            return (self._store.root / key).read_bytes()
        client, bucket, prefix = self._bucket()
        data: bytes = client.get_object(Bucket=bucket, Key=prefix + key)["Body"].read()
        return data

    def damage(self, key: str, how: str) -> bytes:
        """Damage a file; return the content that it had."""
        data = self.read(key)
        self.put(key, DAMAGES[how](data), digest=digest_bytes(data))
        return data

    def put(self, key: str, data: bytes | None, *, digest: str = "") -> None:
        """Replace the content of a file in place, or remove it.

        Args:
            key: Key of the file.
            data: Its new content; None removes it.
            digest: SHA-256 in the metadata of a bucket's object; the right one if empty.
        """
        if isinstance(self._store, FolderStore):
            path: Path = self._store.root / key
            if data is None:
                path.unlink()
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self._seconds += 1  # times of file systems are coarse: two writes may have the same
            os.utime(path, (0, self._seconds))
            return
        client, bucket, prefix = self._bucket()
        if data is None:
            client.delete_object(Bucket=bucket, Key=prefix + key)
            return
        metadata = {"sha256": digest or digest_bytes(data)}
        client.put_object(Bucket=bucket, Key=prefix + key, Body=data, Metadata=metadata)

    def _bucket(self):  # type: ignore[no-untyped-def]
        from coachworks.s3 import open_s3, split_address

        assert isinstance(self._store, S3Store)
        bucket, prefix = split_address(self._store.uri)
        return open_s3(), bucket, f"{prefix}/" if prefix else ""
