"""A store in a local folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from coachworks.errors import CoachworksError, DamagedError, NotFoundError
from coachworks.s3 import ObjectInfo
from coachworks.storage_failures import writing_to
from coachworks.store import scratch
from coachworks.store.comparison import UNREADABLE, difference, file_difference, named_digest
from coachworks.store.contents import Contents
from coachworks.store.durable import Durable, flush
from coachworks.store.folder_trees import FolderTrees
from coachworks.store.protocol import TREE, key_parts, new_key_parts, not_removable
from coachworks.store.tree import Tree, lost_file


class FolderStore:
    """A store in a local folder."""

    remote = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self._trees = FolderTrees(root)
        self._durable = Durable()

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*key_parts(key))

    def _new_path(self, key: str) -> Path:
        path = self.root.joinpath(*new_key_parts(key))
        with writing_to(path):
            self._durable.make_folder(path.parent)
        return path

    def address(self, key: str) -> str:
        """Return the path of `key`."""
        return str(self._path(key))

    def exists(self, key: str) -> bool:
        """Return whether `key` is a file or folder."""
        return self._path(key).exists()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the content of a file, or `length` bytes of it from offset `start`."""
        path = self._path(key)
        digest = named_digest(key)
        tree = self._trees.find(key) if digest is None else None
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(length)
        except FileNotFoundError as err:
            raise self._missing(key, tree) from err
        except NotADirectoryError as err:
            raise NotFoundError(f"{key!r} is not in the store {self.uri}") from err
        except OSError as err:
            if err.errno not in UNREADABLE:
                raise
            raise DamagedError(key, self.uri, f"it cannot be read: {err.strerror or err}") from err
        if tree is not None:
            digest = tree.digest(key)
        if digest and start == 0 and length is None and (problem := difference(data, digest)):
            raise DamagedError(key, self.uri, problem)
        return data

    def write(self, key: str, data: bytes) -> None:
        """Write `data` to a temporary file, flush it to disk, and rename it."""
        with self._replacement(key) as temporary:
            _write_through(temporary, data)

    def write_file(self, key: str, source: Path) -> None:
        """Copy `source` to a temporary file, flush it to disk, and rename it."""
        with self._replacement(key) as temporary:
            shutil.copyfile(source, temporary)
            flush(temporary)

    def create(self, key: str, data: bytes) -> bool:
        """Write `data` to a temporary file and hard-link it, which fails if `key` exists.

        The folder is flushed to disk before the next tree is published, or with the next `write`: photos come by the
        thousand, and count only once a result names them.
        """
        target, temporary = self._new_path(key), scratch.temporary_path(self._tmp)
        with writing_to(target):
            try:
                _write_through(temporary, data)
                os.link(temporary, target)
            except FileExistsError:
                return target.is_file() and target.read_bytes() == data
            finally:
                temporary.unlink(missing_ok=True)
            self._durable.add(target)
        return True

    @contextmanager
    def _replacement(self, key: str) -> Iterator[Path]:
        target = self._new_path(key)
        temporary = scratch.temporary_path(self._tmp)
        with writing_to(target):
            try:
                yield temporary
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            self._durable.add(target)
            self._durable.flush()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all files under the folder `prefix`, sorted."""
        base = self._path(prefix)
        files = (path for path in base.rglob("*") if path.is_file() and path.name != TREE)
        yield from sorted(path.relative_to(self.root).as_posix() for path in files)

    def info(self, key: str) -> ObjectInfo:
        """Return size and modification time of the file."""
        path = self._path(key)
        if not path.is_file() or self._is_below_link(path):
            raise NotFoundError(f"{key!r} is not in the store {self.uri}")
        status = path.stat()
        return ObjectInfo(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def remove(self, key: str) -> None:
        """Delete the file if it exists."""
        path = self.root.joinpath(*new_key_parts(key))
        if path.is_dir() or self._is_below_link(path):
            raise not_removable(key)
        with writing_to(path), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()

    def _is_below_link(self, path: Path) -> bool:
        """Return whether `path`, or a folder between it and the root, is a link."""
        return any(part.is_symlink() for part in (path, *path.parents) if self.root in part.parents)

    def fetch(self, key: str) -> Path:
        """Return the path of `key` in the store itself; nothing is copied."""
        path = self._path(key)
        digest = named_digest(key)
        tree = self._trees.find(key) if digest is None else None
        if not path.exists():
            raise self._missing(key, tree)
        if digest and (problem := file_difference(path, digest)):
            raise DamagedError(key, self.uri, problem)
        if tree is not None:
            self._trees.compare(tree, key)
        return path

    def _missing(self, key: str, tree: Tree | None) -> CoachworksError:
        if tree is not None and tree.part(key):
            return lost_file(tree, tree.relative(key), self.uri)
        return NotFoundError(f"{key!r} is not in the store {self.uri}")

    def publish(self, folder: Path, key: str) -> None:
        """Write the manifest, flush all files to disk, and rename `folder` to `key`; the first of two writers wins."""
        target = self._new_path(key)
        if target.exists():
            return
        with writing_to(target):
            (folder / TREE).write_bytes(Tree.of_folder(folder, key, "").to_bytes())
            self._durable.flush_tree(folder)
            try:
                folder.rename(target)
            except OSError:
                if not target.exists():
                    raise
            self._durable.add(target)
            self._durable.flush()

    def set_link(self, name: str, key: str) -> None:
        """Create a relative symbolic link, so that people can follow it too."""
        link, target = self._new_path(name), self._path(key)
        temporary = scratch.temporary_path(self._tmp)
        with writing_to(link):
            temporary.symlink_to(os.path.relpath(target, link.parent))
            temporary.replace(link)
            self._durable.add(link)
            self._durable.flush()

    def resolve_link(self, name: str) -> str:
        """Return the key that the symbolic link refers to."""
        link = self._path(name)
        try:
            target = os.path.normpath(link.parent / link.readlink())
        except OSError as err:
            raise NotFoundError(f"there is no link {name!r} in the store {self.uri}") from err
        return Path(target).relative_to(self.root).as_posix()

    def scratch(self) -> AbstractContextManager[Path]:
        """Create a temporary folder on the file system of the store, so that `publish` is a rename."""
        return scratch.scratch_folder(self._tmp)

    def sweep(self) -> None:
        """Delete temporary files of killed processes of this machine."""
        scratch.sweep(self._tmp)

    def contents(self) -> Contents:
        """Return the contents as they lie there, for a verification."""
        from coachworks.store.folder_contents import FolderContents

        return FolderContents(self.root)

    @property
    def _tmp(self) -> Path:
        return self.root / "tmp"


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
