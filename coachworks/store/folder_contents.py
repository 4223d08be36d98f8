"""Contents of a store in a folder."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from coachworks.errors import DamagedError
from coachworks.store import scratch
from coachworks.store.comparison import UNREADABLE, named_digest, other_digest
from coachworks.store.contents import LEFTOVER, LINK_FORM, OBJECT, TREE_FORM, Comparison, Content, OnRead
from coachworks.store.protocol import TREE
from coachworks.store.tree import Tree, parse_manifest

_TREE_FOLDERS = {"results", "bentos", "splits"}  # trees are two levels below, those of earlier versions too
_BLOCK = 1 << 20


class FolderContents:
    """See `coachworks.store.contents.Contents`.

    Args:
        root: Folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def walk(self) -> Iterator[Content]:
        """Yield everything in the folder; temporary files of running processes are left out."""
        yield from self._walk(self._root)
        for path in scratch.left_over(self._root / "tmp"):
            yield Content(self._key(path), LEFTOVER, _size(path), "")

    def _walk(self, folder: Path) -> Iterator[Content]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_symlink():
                    yield Content(self._key(path), LINK_FORM, 0, str(path.readlink()))
                elif not entry.is_dir():
                    status = entry.stat()
                    yield Content(self._key(path), OBJECT, status.st_size, f"{status.st_ino}-{status.st_mtime_ns}")
                elif self._is_tree(path):
                    status = entry.stat()
                    yield Content(self._key(path), TREE_FORM, _size(path), f"{status.st_ino}-{status.st_mtime_ns}")
                elif path != self._root / "tmp":
                    yield from self._walk(path)

    def _is_tree(self, path: Path) -> bool:
        parts = path.relative_to(self._root).parts
        return (path / TREE).exists() or (len(parts) == 3 and parts[0] in _TREE_FOLDERS)

    def compare(self, content: Content, on_read: OnRead) -> Comparison:
        """Read a content and compare it with its digests."""
        path = self._root / content.key
        if content.form == TREE_FORM:
            return self._compare_tree(content.key, on_read)
        if content.form == LINK_FORM:
            problems = {} if path.exists() else {content.key: f"it leads to {content.stamp!r}, where nothing is"}
            return Comparison(problems, digests=True)
        digest = named_digest(content.key)
        problem = _difference(path, digest, None, on_read) if content.form == OBJECT else None
        return Comparison({} if problem is None else {content.key: problem}, digests=digest is not None)

    def _compare_tree(self, key: str, on_read: OnRead) -> Comparison:
        tree = self._manifest(key)
        if isinstance(tree, DamagedError):
            return Comparison({tree.key: tree.problem}, digests=True)
        if tree is None:
            return Comparison({}, digests=False)
        problems = {
            f"{key}/{name}": problem
            for name, file in tree.files.items()
            if (problem := _difference(self._root / key / name, file.sha256, file.size, on_read)) is not None
        }
        return Comparison(problems, digests=True)

    def _manifest(self, key: str) -> Tree | DamagedError | None:
        try:
            data = (self._root / key / TREE).read_bytes()
            return parse_manifest(data, key, str(self._root), f"{key}/{TREE}")
        except FileNotFoundError:
            return None
        except DamagedError as err:
            return err

    def remove(self, content: Content) -> None:
        """Remove a content; a tree is moved aside first, so that nobody sees half of it."""
        path = self._root / content.key
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
        elif path.is_dir():
            aside = path
            if content.form == TREE_FORM:
                aside = scratch.temporary_path(self._root / "tmp")
                path.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def _key(self, path: Path) -> str:
        return PurePosixPath(path.relative_to(self._root)).as_posix()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _difference(path: Path, digest: str | None, size: int | None, on_read: OnRead) -> str | None:
    """Read a file and return in words how it differs, or None."""
    hasher = hashlib.sha256()
    read = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                hasher.update(block)
                read += len(block)
                on_read(len(block))
    except (FileNotFoundError, NotADirectoryError):
        return "it is missing"
    except OSError as err:
        if err.errno not in UNREADABLE:
            raise
        return f"it cannot be read: {err.strerror or err}"
    if size is not None and read != size:
        return f"it must have {size} bytes, and has {read}"
    if digest is None or hasher.hexdigest().startswith(digest):
        return None
    return other_digest(hasher.hexdigest(), digest)
