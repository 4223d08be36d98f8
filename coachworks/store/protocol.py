"""What a store is, to everything that uses one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True)
class Facts:
    """What is known of an object without reading it.

    Attributes:
        size: Bytes.
        written_at: When it was published last.
    """

    size: int
    written_at: datetime


class Store(Protocol):
    """Where everything lives. Keys are POSIX paths such as `photos/3f/3f2a….jpg`.

    Writing is atomic: a reader sees the old object, the new one, or none; never half.
    """

    @property
    def remote(self) -> bool:
        """Whether every call is a round trip to a server."""

    @property
    def uri(self) -> str:
        """Address of the store, as the fleet file names it."""

    def address(self, key: str) -> str:
        """Where people find the object, the tree or the file of a tree `key`: a path, or what other S3 tools take."""

    def exists(self, key: str) -> bool:
        """Whether an object, a published tree, or a file of one stands under `key`."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The object's bytes, or `length` of them from `start` on.

        Raises:
            NotFoundError: there is no such object.
        """

    def write(self, key: str, data: bytes) -> None:
        """Publish `data` under `key`, replacing what was there."""

    def write_file(self, key: str, source: Path) -> None:
        """Publish a copy of the file `source` under `key`, replacing what was there."""

    def create(self, key: str, data: bytes) -> bool:
        """Publish `data` under `key` unless something stands there.

        Returns:
            Whether what stands there now is `data`, which also holds after an attempt whose reply was lost.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects under the folder `prefix`, sorted."""

    def facts(self, key: str) -> Facts:
        """What is known of the object `key` without reading it.

        Raises:
            NotFoundError: there is no such object; of trees and their files nothing is told.
        """

    def remove(self, key: str) -> None:
        """Remove the object `key`, if there is one.

        Never name a file of a tree: trees do not change, and not every store can tell such a file from an object.

        Raises:
            InvalidConfigError: `key` is a folder, a tree or a name that leads somewhere.
        """

    def fetch(self, key: str) -> Path:
        """A local path to read the object, the tree, or the part of a tree `key` from; never write to it.

        Raises:
            NotFoundError: there is no such object.
        """

    def publish(self, folder: Path, key: str) -> None:
        """Publish a scratch folder as the tree `key`; if the tree is there already, the first one stays.

        The folder itself may be gone afterwards. Trees never change.
        """

    def point(self, name: str, key: str) -> None:
        """Let `name` lead to the tree `key`, in one step; it may have led elsewhere before."""

    def pointed(self, name: str) -> str:
        """The key that `name` leads to.

        Raises:
            NotFoundError: `name` leads nowhere.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """A temporary folder, gone afterwards, from which `publish` is cheap: `with store.scratch() as folder:`."""

    def sweep(self) -> None:
        """Remove what processes of this machine left behind that were killed."""


TREE, LINK = ".tree", ".link"  # what a bucket's manifests and names end with
ATTEMPT = "@"  # what the folders of a bucket's trees begin with


def not_removable(key: str) -> InvalidConfigError:
    """The error of `remove` on what is no object."""
    return InvalidConfigError(f"key must name an object; got {key!r}, a folder, a tree or a name. Those are kept.")


def key_parts(key: str) -> list[str]:
    """The parts of a key to look up.

    Raises:
        InvalidConfigError: it is none.
    """
    parts = key.split("/")
    if not key or any(part in {"", ".", ".."} for part in parts):
        raise InvalidConfigError(f"key must be a relative POSIX path without '..'; got {key!r}")
    return parts


def new_key_parts(key: str) -> list[str]:
    """The parts of a key to publish something under: what one kind of store takes, all take.

    Raises:
        InvalidConfigError: it is none, or a bucket could not hold it.
    """
    parts = key_parts(key)
    if key.endswith((TREE, LINK)) or any(part.startswith(ATTEMPT) for part in parts):
        raise InvalidConfigError(
            f"key must not end in {TREE} or {LINK}, nor have a part that begins with {ATTEMPT}; got {key!r}"
        )
    return parts
