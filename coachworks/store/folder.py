"""A store in a local folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from coachworks.errors import NotFoundError
from coachworks.store import scratch
from coachworks.store.protocol import ObjectInfo, key_parts, new_key_parts, not_removable


class FolderStore:
    """A store in a local folder."""

    remote = False

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*key_parts(key))

    def _new_path(self, key: str) -> Path:
        path = self.root.joinpath(*new_key_parts(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def address(self, key: str) -> str:
        """Its path."""
        return str(self._path(key))

    def exists(self, key: str) -> bool:
        """Whether an object or a published tree stands under `key`."""
        return self._path(key).exists()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The object's bytes, or `length` of them from `start` on."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError as err:
            raise NotFoundError(f"{key!r} is not in the store {self.uri}") from err

    def write(self, key: str, data: bytes) -> None:
        """Publish `data` under `key`: written aside, flushed to disk, renamed."""
        with self._aside(key) as aside:
            _write_through(aside, data)

    def write_file(self, key: str, source: Path) -> None:
        """Publish a copy of `source` under `key`."""
        with self._aside(key) as aside:
            shutil.copyfile(source, aside)

    def create(self, key: str, data: bytes) -> bool:
        """Publish `data` under `key` by a hard link, which is made only where nothing stands."""
        target, aside = self._new_path(key), scratch.aside(self._tmp)
        try:
            _write_through(aside, data)
            os.link(aside, target)
        except FileExistsError:
            return target.is_file() and target.read_bytes() == data
        finally:
            aside.unlink(missing_ok=True)
        return True

    @contextmanager
    def _aside(self, key: str) -> Iterator[Path]:
        target = self._new_path(key)
        aside = scratch.aside(self._tmp)
        try:
            yield aside
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects under the folder `prefix`, sorted."""
        base = self._path(prefix)
        yield from sorted(p.relative_to(self.root).as_posix() for p in base.rglob("*") if p.is_file())

    def info(self, key: str) -> ObjectInfo:
        """Size and time of the object's file."""
        path = self._path(key)
        if not path.is_file() or self._through_a_name(path):
            raise NotFoundError(f"{key!r} is not in the store {self.uri}")
        found = path.stat()
        return ObjectInfo(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def remove(self, key: str) -> None:
        """Remove the object's file, if there is one."""
        path = self.root.joinpath(*new_key_parts(key))
        if path.is_dir() or self._through_a_name(path):
            raise not_removable(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()

    def _through_a_name(self, path: Path) -> bool:
        """Whether a name that leads somewhere, a symbolic link, is on the way from the root to `path`."""
        return any(part.is_symlink() for part in (path, *path.parents) if self.root in part.parents)

    def fetch(self, key: str) -> Path:
        """The object's own path: nothing is copied."""
        path = self._path(key)
        if not path.exists():
            raise NotFoundError(f"{key!r} is not in the store {self.uri}")
        return path

    def publish(self, folder: Path, key: str) -> None:
        """Rename `folder` to `key`; the first of two racing writers wins."""
        target = self._new_path(key)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():
                raise

    def set_link(self, name: str, key: str) -> None:
        """A relative symbolic link, so that people find the newest of a thing under a short name."""
        link, target = self._new_path(name), self._path(key)
        aside = scratch.aside(self._tmp)
        aside.symlink_to(os.path.relpath(target, link.parent))
        aside.replace(link)

    def resolve_link(self, name: str) -> str:
        """The key that the link `name` leads to."""
        link = self._path(name)
        try:
            target = os.path.normpath(link.parent / link.readlink())
        except OSError as err:
            raise NotFoundError(f"there is no link {name!r} in the store {self.uri}") from err
        return Path(target).relative_to(self.root).as_posix()

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder beside the results, on the same file system."""
        return scratch.scratch_folder(self._tmp)

    def sweep(self) -> None:
        """Remove what was being written by processes that are gone: what a `kill -9` left behind."""
        scratch.sweep(self._tmp)

    @property
    def _tmp(self) -> Path:
        return self.root / "tmp"


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
