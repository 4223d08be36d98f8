"""Local copies of a bucket's objects and trees, in the cache of this machine. Processes share the cache.

Each process compares a copy with its digest before its first use, and fetches it again if it is damaged.
"""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from coachworks.s3 import Objects
from coachworks.storage_failures import writing_to
from coachworks.store import scratch
from coachworks.store.comparison import file_difference, named_digest
from coachworks.store.local_cache import cache_folder
from coachworks.store.tree import Tree, lost_file

_CONCURRENT_REQUESTS = 12


class Downloads:
    """The local copies of a store's objects and trees.

    Args:
        objects: The objects of the store.
        uri: Address of the store.
    """

    def __init__(self, objects: Objects, uri: str) -> None:
        self._objects, self._uri = objects, uri

    @property
    def scratch(self) -> Path:
        """Folder for temporary files, on the file system of the copies."""
        return self._folder / "tmp"

    @property
    def _folder(self) -> Path:
        return cache_folder(self._uri)

    def fetch_object(self, key: str) -> Path | None:
        """Return a copy of an object's current version, downloaded if necessary; None if there is no such object."""
        while (info := self._objects.head(key)) is not None:
            version = "".join(c for c in info.etag if c.isalnum() or c == "-")
            path = self._folder / "objects" / key / version / key.rpartition("/")[2]
            digest = named_digest(key) or info.sha256
            if _is_intact(path, digest, info.size):
                return path
            if self._download(key, path, info.size, etag=info.etag, sha256=digest):
                return path
        return None

    def fetch_tree(self, tree: Tree, key: str) -> Path:
        """Return a copy of a tree, or of the part of it at `key`, downloaded if necessary.

        Raises:
            DamagedError: a file of the tree is missing in the bucket, or is not what was published.
        """
        root = self._tree_folder(tree)
        part = tree.part(key)

        def fetch(name: str) -> None:
            path, file = root / name, part[name]
            if _is_intact(path, file.sha256, file.size):
                return
            if not self._download(tree.place(name), path, file.size, sha256=file.sha256, executable=file.executable):
                raise lost_file(tree, name, self._uri)

        for_each(fetch, part)
        if key == tree.key:
            for name in (".", *tree.empty):
                (root / name).mkdir(parents=True, exist_ok=True)
        return root / tree.relative(key)

    def add_tree(self, folder: Path, tree: Tree) -> None:
        """Move a folder that has just been published into the cache, so that it is not downloaded again."""
        root = self._tree_folder(tree)
        with suppress(OSError):  # on another file system, or fetched by another process meanwhile
            root.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(root)

    def remove_object(self, key: str) -> None:
        """Delete all copies of an object."""
        shutil.rmtree(self._folder / "objects" / key, ignore_errors=True)

    def remove_tree(self, key: str) -> None:
        """Delete all copies of a tree."""
        shutil.rmtree(self._folder / "trees" / key, ignore_errors=True)

    def _tree_folder(self, tree: Tree) -> Path:
        return self._folder / "trees" / tree.key / tree.attempt

    def _download(
        self, key: str, path: Path, size: int, *, etag: str | None = None, sha256: str | None, executable: bool = False
    ) -> bool:
        """Download an object to a temporary file and rename it, because other processes read the cache."""
        temporary = scratch.temporary_path(self.scratch)
        with writing_to(path):
            try:
                if not self._objects.download(key, temporary, size, etag=etag, sha256=sha256):
                    return False
                if executable:
                    temporary.chmod(0o755)
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return True


def _is_intact(path: Path, digest: str | None, size: int) -> bool:
    """Return whether a copy is there and what was fetched; one that is not is fetched again."""
    if digest is None:  # written by another program: its size is all that is known
        return path.exists() and path.stat().st_size == size
    return file_difference(path, digest, size) is None


def for_each(work: Callable[[str], None], names: Iterable[str]) -> None:
    """Call `work` for all names, several at a time; the first error is raised."""
    with ThreadPoolExecutor(_CONCURRENT_REQUESTS, thread_name_prefix="store") as pool:
        for future in [pool.submit(work, name) for name in names]:
            future.result()
