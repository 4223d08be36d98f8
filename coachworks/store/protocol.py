"""Interface of the object store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from coachworks.errors import InvalidConfigError
from coachworks.s3 import ObjectInfo
from coachworks.store.contents import Contents


class Store(Protocol):
    """Key-value store for files and folders. Keys are POSIX paths such as `photos/3f/3f2a….jpg`.

    A store holds *objects* (single files), *trees* (folders published as a whole, immutable) and *links* (names that
    refer to a tree and can be moved). Writes are atomic: a reader sees the old content, the new content, or none.

    What is read or fetched whole is compared with the digest that was recorded when it was written: that in a tree's
    manifest, in the name of a photo, head or feature shard, or in the metadata of a bucket's object. Content that
    earlier versions wrote without a digest is returned as it is.
    """

    @property
    def remote(self) -> bool:
        """True if every call is a request to a server."""

    @property
    def uri(self) -> str:
        """Address of the store, as `spec.store` has it."""

    def address(self, key: str) -> str:
        """Return the path or S3 URL at which other tools can open the object, tree or file of a tree `key`."""

    def exists(self, key: str) -> bool:
        """Return whether `key` is an object, a published tree, or a file of a tree."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the content of an object, or `length` bytes of it from offset `start`, which are not compared.

        Raises:
            NotFoundError: there is no such object.
            DamagedError: the content is not what was written.
        """

    def write(self, key: str, data: bytes) -> None:
        """Write `data` to the object `key`, replacing an existing one."""

    def write_file(self, key: str, source: Path) -> None:
        """Copy the file `source` to the object `key`, replacing an existing one."""

    def create(self, key: str, data: bytes) -> bool:
        """Write `data` to the object `key` only if `key` does not exist.

        Returns:
            Whether the object's content is now `data`. True also if an earlier attempt succeeded and its reply was
            lost.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects under the folder `prefix`, files of trees included, sorted."""

    def info(self, key: str) -> ObjectInfo:
        """Return the metadata of the object `key`.

        Raises:
            NotFoundError: there is no such object; trees and files inside trees are not supported.
        """

    def remove(self, key: str) -> None:
        """Delete the object `key` if it exists.

        Do not pass a file of a tree: trees are immutable, and not every store can tell such a file from an object.

        Raises:
            InvalidConfigError: `key` is a folder, a tree or a link.
        """

    def fetch(self, key: str) -> Path:
        """Return a local path for reading the object, tree or part of a tree `key`; callers must not write to it.

        Each file is compared once per process, and again when it has changed.

        Raises:
            NotFoundError: there is no such object.
            DamagedError: a file is not what was written.
        """

    def publish(self, folder: Path, key: str) -> None:
        """Publish a scratch folder as the tree `key`; an existing tree is kept and `folder` ignored.

        The store may move `folder` away instead of copying it.
        """

    def set_link(self, name: str, key: str) -> None:
        """Make the link `name` refer to the tree `key`, replacing an existing link atomically."""

    def resolve_link(self, name: str) -> str:
        """Return the key that the link `name` refers to.

        Raises:
            NotFoundError: there is no such link.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """Create a temporary folder, deleted on exit, from which `publish` is cheap.

        Use it as `with store.scratch() as folder:`.
        """

    def sweep(self) -> None:
        """Delete temporary files of killed processes of this machine."""

    def contents(self) -> Contents:
        """Return the contents as they lie there, for a verification."""


TREE, LINK = ".tree", ".link"  # suffixes of manifests and links in a bucket
ATTEMPT = "@"  # prefix of the folders that hold the files of a tree in a bucket


def not_removable(key: str) -> InvalidConfigError:
    """Return the error for removing a folder, a tree or a link."""
    return InvalidConfigError(f"key must name an object; got {key!r}, a folder, a tree or a link. Those are kept.")


def key_parts(key: str) -> list[str]:
    """Split a key into its path components.

    Raises:
        InvalidConfigError: the key is empty, absolute or has a `.` or `..` component.
    """
    parts = key.split("/")
    if not key or any(part in {"", ".", ".."} for part in parts):
        raise InvalidConfigError(f"key must be a relative POSIX path without '..'; got {key!r}")
    return parts


def new_key_parts(key: str) -> list[str]:
    """Split a key to be written into its path components; all kinds of store accept the same keys.

    Raises:
        InvalidConfigError: the key is malformed or not allowed in a bucket.
    """
    parts = key_parts(key)
    if key.endswith((TREE, LINK)) or any(part.startswith(ATTEMPT) for part in parts):
        raise InvalidConfigError(
            f"key must not end in {TREE} or {LINK}, nor have a part that begins with {ATTEMPT}; got {key!r}"
        )
    return parts
