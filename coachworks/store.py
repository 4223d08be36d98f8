"""The object store: photos, features, results and models under POSIX keys, each published whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from coachworks.errors import InvalidConfigError, NotFoundError


class Store(Protocol):
    """Where everything lives. Keys are POSIX paths such as `photos/3f/3f2a….jpg`.

    Writing is atomic: a reader sees the old object, the new one, or none; never half.
    """

    @property
    def uri(self) -> str:
        """Address of the store, as the fleet file names it."""

    def exists(self, key: str) -> bool:
        """Whether an object or a published tree stands under `key`."""

    def read(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            NotFoundError: there is no such object.
        """

    def write(self, key: str, data: bytes) -> None:
        """Publish `data` under `key`, replacing what was there."""

    def write_file(self, key: str, source: Path) -> None:
        """Publish a copy of the file `source` under `key`, replacing what was there."""

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects under the folder `prefix`, sorted."""

    def fetch(self, key: str) -> Path:
        """A local path to read the object or tree `key` from; never write to it.

        Raises:
            NotFoundError: there is no such object.
        """

    def publish(self, folder: Path, key: str) -> None:
        """Publish a scratch folder as the tree `key`; if the tree is there already, the first one stays."""

    def point(self, name: str, key: str) -> None:
        """Let `name` lead to the tree `key`, in one step; it may have led elsewhere before."""

    def pointed(self, name: str) -> str:
        """The key that `name` leads to.

        Raises:
            NotFoundError: `name` leads nowhere.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """A temporary folder, gone afterwards, from which `publish` is cheap: `with store.scratch() as folder:`."""


class FolderStore:
    """A store in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in {"", ".", ".."} for part in parts):
            raise InvalidConfigError(f"key must be a relative POSIX path without '..'; got {key!r}")
        return self.root.joinpath(*parts)

    def exists(self, key: str) -> bool:
        """Whether an object or a published tree stands under `key`."""
        return self._path(key).exists()

    def read(self, key: str) -> bytes:
        """The object's bytes."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as err:
            raise NotFoundError(f"{key!r} is not in the store {self.uri}") from err

    def write(self, key: str, data: bytes) -> None:
        """Publish `data` under `key`: written aside, flushed to disk, renamed."""
        with self._aside(key) as aside, aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def write_file(self, key: str, source: Path) -> None:
        """Publish a copy of `source` under `key`."""
        with self._aside(key) as aside:
            shutil.copyfile(source, aside)

    @contextmanager
    def _aside(self, key: str) -> Iterator[Path]:
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = self._tmp() / f"{os.getpid()}-{uuid.uuid4().hex}"
        try:
            yield aside
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects under the folder `prefix`, sorted."""
        base = self._path(prefix)
        yield from sorted(p.relative_to(self.root).as_posix() for p in base.rglob("*") if p.is_file())

    def fetch(self, key: str) -> Path:
        """The object's own path: nothing is copied."""
        path = self._path(key)
        if not path.exists():
            raise NotFoundError(f"{key!r} is not in the store {self.uri}")
        return path

    def publish(self, folder: Path, key: str) -> None:
        """Rename `folder` to `key`; the first of two racing writers wins."""
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():
                raise

    def point(self, name: str, key: str) -> None:
        """A relative symbolic link, so that people find the newest of a thing under a short name."""
        link, target = self._path(name), self._path(key)
        link.parent.mkdir(parents=True, exist_ok=True)
        aside = self._tmp() / f"{os.getpid()}-{uuid.uuid4().hex}"
        aside.symlink_to(os.path.relpath(target, link.parent))
        aside.replace(link)

    def pointed(self, name: str) -> str:
        """The key that the link `name` leads to."""
        link = self._path(name)
        try:
            target = os.path.normpath(link.parent / link.readlink())
        except OSError as err:
            raise NotFoundError(f"{name!r} leads nowhere in the store {self.uri}") from err
        return Path(target).relative_to(self.root).as_posix()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder beside the results, on the same file system."""
        folder = self._tmp() / f"{os.getpid()}-{uuid.uuid4().hex}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what was being written by processes that are gone: what a `kill -9` left behind."""
        for left in self._tmp().glob("*-*"):
            pid = left.name.split("-")[0]
            if pid.isdigit() and not process_alive(int(pid)):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)

    def _tmp(self) -> Path:
        tmp = self.root / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        return tmp


def process_alive(pid: int) -> bool:
    """Whether a process of this machine still works; one that has ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:  # no /proc here, or gone in between
        return not Path("/proc/self").exists()
    return state != "Z"


def open_store(uri: str) -> Store:
    """The store that `uri` names.

    Raises:
        InvalidConfigError: the scheme is not supported.
    """
    if "://" in uri and not uri.startswith("file://"):
        raise InvalidConfigError(f"store must be a folder; got {uri!r}. Name a local folder, such as ./store.")
    return FolderStore(Path(uri.removeprefix("file://")).absolute())
