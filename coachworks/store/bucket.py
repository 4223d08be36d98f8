"""A store in a bucket of an S3 server."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from coachworks.errors import CoachworksError, DamagedError, InvalidConfigError, NotFoundError
from coachworks.s3 import ObjectInfo, Objects
from coachworks.store import scratch
from coachworks.store.comparison import difference, named_digest
from coachworks.store.contents import Contents
from coachworks.store.downloads import Downloads, for_each
from coachworks.store.protocol import LINK, TREE, key_parts, new_key_parts, not_removable
from coachworks.store.tree import Tree, lost_file
from coachworks.store.tree_lookup import TreeLookup


class S3Store:
    """A store under a prefix of a bucket.

    An object of the store is an object of the bucket; a tree is its files and a manifest (see
    `coachworks.store.tree`); a link is the object `<name>.link`, which contains the key. Fetched content is kept in
    the cache of this machine.

    Args:
        bucket: Name of the bucket.
        prefix: Prefix of all keys; may be empty.
    """

    remote = True

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self._uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        if not bucket or any(part in {"", ".", ".."} for part in prefix.split("/") if prefix):
            raise InvalidConfigError(f"store must be s3://bucket/prefix; got {self._uri!r}. Name a bucket.")
        self._objects = Objects(bucket, prefix)
        self._trees = TreeLookup(self._objects)
        self._downloads = Downloads(self._objects, self._uri)

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return self._uri

    def address(self, key: str) -> str:
        """Return the S3 URL of `key`; for a tree or a file of one, that of the files themselves."""
        key_parts(key)
        tree = self._trees.find(key)
        return self._objects.address(key if tree is None else tree.place(tree.relative(key))).rstrip("/")

    def exists(self, key: str) -> bool:
        """Return whether `key` is an object, a published tree, or a file of a tree."""
        key_parts(key)
        if self._trees.find_known(key):
            return True
        if self._objects.head(key) is not None:
            self._trees.add_object(key)
            return True
        tree = self._trees.find(key)
        return tree is not None and (tree.key == key or bool(tree.part(key)))

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the content of an object, or `length` bytes of it from offset `start`."""
        key_parts(key)
        tree = self._trees.find_known(key)
        if tree is None:
            data = self._objects.get(key, start, length)
            if data is not None:
                self._trees.add_object(key)
                return self._compared(key, named_digest(key), data, whole=start == 0 and length is None)
            tree = self._trees.find(key)
        name = tree.relative(key) if tree else ""
        if tree is None or name not in tree.files:
            raise self._missing(key)
        data = self._objects.get(tree.place(name), start, length)
        if data is None:
            if self._is_current(tree):
                raise lost_file(tree, name, self.uri)
            return self.read(key, start, length)
        return self._compared(key, tree.digest(key), data, whole=start == 0 and length is None)

    def _compared(self, key: str, digest: str | None, data: bytes, *, whole: bool) -> bytes:
        if whole and digest and (problem := difference(data, digest)):
            raise DamagedError(key, self.uri, problem)
        return data

    def write(self, key: str, data: bytes) -> None:
        """Write `data` to the object `key`."""
        self._objects.put(_new(key), data)
        self._trees.add_object(key)

    def write_file(self, key: str, source: Path) -> None:
        """Copy the file `source` to the object `key`; a large file is uploaded in parts."""
        self._objects.put_file(_new(key), source)
        self._trees.add_object(key)

    def create(self, key: str, data: bytes) -> bool:
        """Write `data` to the object `key` by a conditional request."""
        created = self._objects.create(_new(key), data)
        self._trees.add_object(key)
        return created

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects and files of trees under the folder `prefix`, sorted."""
        key_parts(prefix)
        tree = self._trees.find(prefix)
        inside = {f"{tree.key}/{name}" for name in tree.part(prefix)} if tree else set()
        yield from sorted(inside | self._trees.visible(key for key, _ in self._objects.list(f"{prefix}/")))

    def info(self, key: str) -> ObjectInfo:
        """Return the metadata of the object `key`."""
        key_parts(key)
        info = self._objects.head(key)
        if info is None:
            raise self._missing(key)
        return info

    def remove(self, key: str) -> None:
        """Delete the object `key` if it exists, and its copies on this machine."""
        new_key_parts(key)
        if self._objects.head(key) is None:
            is_folder = self._trees.find(key) is not None or any(self._objects.list(f"{key}/", limit=1))
            if is_folder or self._objects.head(f"{key}{LINK}") is not None:
                raise not_removable(key)
            return
        self._objects.delete(key)
        self._downloads.remove_object(key)

    def fetch(self, key: str) -> Path:
        """Return a copy in the cache of this machine, downloaded if necessary."""
        key_parts(key)
        tree = self._trees.find_known(key)
        if tree is None:
            path = self._downloads.fetch_object(key)
            if path is not None:
                self._trees.add_object(key)
                return path
            tree = self._trees.find(key)
        if tree is None or not (tree.key == key or tree.part(key)):
            raise self._missing(key)
        try:
            return self._downloads.fetch_tree(tree, key)
        except DamagedError:
            if self._is_current(tree):
                raise
        return self.fetch(key)

    def _is_current(self, tree: Tree) -> bool:
        """Return whether a tree is still the published one: a repair may have removed it, and a run made it again."""
        self._trees.forget(tree.key)
        newest = self._trees.load(tree.key)
        return newest is not None and newest.attempt == tree.attempt

    def publish(self, folder: Path, key: str) -> None:
        """Upload the files of `folder`, then the manifest unless another writer has published one."""
        new_key_parts(key)
        if self._trees.load(key) is not None:
            return
        tree = Tree.of_folder(folder, key, uuid.uuid4().hex)
        for_each(
            lambda name: self._objects.put_file(tree.place(name), folder / name, tree.files[name].sha256), tree.files
        )
        if self._objects.create(f"{key}{TREE}", tree.to_bytes()):
            self._trees.add(tree, key)
            self._downloads.add_tree(folder, tree)
        else:
            with suppress(CoachworksError):  # without a manifest they are invisible anyway
                for_each(lambda name: self._objects.delete(tree.place(name)), tree.files)

    def set_link(self, name: str, key: str) -> None:
        """Write the key to the object of the link."""
        key_parts(key)
        self._objects.put(f"{_new(name)}{LINK}", key.encode())

    def resolve_link(self, name: str) -> str:
        """Read the key from the object of the link."""
        key_parts(name)
        data = self._objects.get(f"{name}{LINK}")
        if data is None:
            raise NotFoundError(f"there is no link {name!r} in the store {self.uri}")
        return data.decode()

    def scratch(self) -> AbstractContextManager[Path]:
        """Create a temporary folder in the cache, so that `publish` moves it there instead of downloading it again."""
        return scratch.scratch_folder(self._downloads.scratch)

    def sweep(self) -> None:
        """Delete temporary files of killed processes of this machine."""
        scratch.sweep(self._downloads.scratch)

    def contents(self) -> Contents:
        """Return the contents as they lie there, for a verification."""
        from coachworks.store.bucket_contents import BucketContents

        return BucketContents(self._objects, self._downloads, self._trees)

    def _missing(self, key: str) -> NotFoundError:
        return NotFoundError(f"{key!r} is not in the store {self.uri}")


def _new(key: str) -> str:
    return "/".join(new_key_parts(key))
