"""A store in a bucket of an S3 server."""

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError
from coachworks.s3.objects import Objects
from coachworks.store import scratch
from coachworks.store.local_cache import cache_folder
from coachworks.store.protocol import ATTEMPT, LINK, TREE, ObjectInfo, key_parts, new_key_parts, not_removable
from coachworks.store.tree import Tree, above

_AT_ONCE = 12


class S3Store:
    """A store under a prefix of a bucket.

    An object is an object; a tree is its files and a manifest (see `coachworks.store.tree`); a name that leads
    somewhere is an object `<name>.link`. What is fetched is kept in this machine's cache.

    Args:
        client: Gives the client of `coachworks.s3`.
        bucket: The bucket.
        prefix: What all keys begin with; may be empty.
    """

    remote = True

    def __init__(self, client: Callable[[], Any], bucket: str, prefix: str = "") -> None:
        self._uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        if not bucket or any(part in {"", ".", ".."} for part in prefix.split("/") if prefix):
            raise InvalidConfigError(f"store must be s3://bucket/prefix; got {self._uri!r}. Name a bucket.")
        self._objects = Objects(client, bucket, prefix)
        self._trees: dict[str, Tree] = {}  # they never change
        self._plain: set[str] = set()  # folders of single objects: no tree can stand there

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return self._uri

    @property
    def _cache(self) -> Path:
        return cache_folder(self._uri)

    def address(self, key: str) -> str:
        """Its address; that of a tree, or of a file in one, leads to where the files really are."""
        key_parts(key)
        tree = self._tree(key)
        return self._objects.place(key if tree is None else tree.place(key[len(tree.key) + 1 :])).rstrip("/")

    def exists(self, key: str) -> bool:
        """Whether an object, a published tree, or a file of one stands under `key`."""
        key_parts(key)
        if self._part_of_known(key):
            return True
        if self._objects.head(key) is not None:
            self._note_plain(key)
            return True
        tree = self._tree(key)
        return tree is not None and bool(tree.key == key or tree.part(key))

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The object's bytes, or `length` of them from `start` on."""
        key_parts(key)
        tree = self._part_of_known(key)
        data = self._objects.get(tree.place(key[len(tree.key) + 1 :]) if tree else key, start, length)
        if data is not None:
            if tree is None:
                self._note_plain(key)
            return data
        tree = self._tree(key)
        name = key[len(tree.key) + 1 :] if tree else ""
        if tree is not None and name in tree.files:
            data = self._objects.get(tree.place(name), start, length)
            if data is not None:
                return data
            raise self._lost(tree, name)
        raise self._missing(key)

    def write(self, key: str, data: bytes) -> None:
        """Publish `data` under `key`."""
        self._objects.put(_new(key), data)
        self._note_plain(key)

    def write_file(self, key: str, source: Path) -> None:
        """Publish a copy of `source` under `key`; a large one travels in parts."""
        self._objects.put_file(_new(key), source)
        self._note_plain(key)

    def create(self, key: str, data: bytes) -> bool:
        """Publish `data` under `key` by a conditional write."""
        ours = self._objects.put(_new(key), data, fresh=True)
        self._note_plain(key)
        return ours

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects and of the files of all trees under the folder `prefix`, sorted."""
        key_parts(prefix)
        tree = self._tree(prefix)
        found = {f"{tree.key}/{name}" for name in tree.part(prefix)} if tree else set()
        attempts: dict[str, dict[str, list[str]]] = {}
        manifests: set[str] = set()
        for key in self._objects.list(f"{prefix}/"):
            home, mark, rest = key.partition(f"/{ATTEMPT}")
            if mark:
                attempt, _, name = rest.partition("/")
                attempts.setdefault(home, {}).setdefault(attempt, []).append(name)
            elif key.endswith(TREE):
                manifests.add(key.removesuffix(TREE))
            elif not key.endswith(LINK):
                found.add(key)
        for home in manifests:
            tried = attempts.get(home, {})
            # One attempt and a manifest: it is the manifest's.
            names = next(iter(tried.values())) if len(tried) == 1 else self._manifest(home).files
            found.update(f"{home}/{name}" for name in names)
        yield from sorted(found)

    def info(self, key: str) -> ObjectInfo:
        """Size and time of the object, as the server says."""
        key_parts(key)
        standing = self._objects.head(key)
        if standing is None:
            raise self._missing(key)
        return ObjectInfo(standing.size, standing.written_at)

    def remove(self, key: str) -> None:
        """Delete the object, if there is one, and this machine's copies."""
        new_key_parts(key)
        if self._objects.head(key) is None:
            inside = self._tree(key) is not None or next(self._objects.list(f"{key}/"), None) is not None
            if inside or self._objects.head(f"{key}{LINK}") is not None:
                raise not_removable(key)
            return
        self._objects.delete(key)
        shutil.rmtree(self._cache / "objects" / key, ignore_errors=True)

    def fetch(self, key: str) -> Path:
        """A copy in this machine's cache, made now where there is none."""
        key_parts(key)
        tree = self._part_of_known(key)
        if tree is None:
            path = self._fetch_object(key)
            if path is not None:
                self._note_plain(key)
                return path
            tree = self._tree(key)
        if tree is None or not (tree.key == key or tree.part(key)):
            raise self._missing(key)
        return self._fetch_part(tree, key)

    def publish(self, folder: Path, key: str) -> None:
        """Upload the files of `folder`, then the manifest, if nobody else's is there."""
        new_key_parts(key)
        if self._manifest_or_none(key) is not None:
            return
        tree = Tree.of_folder(folder, key, uuid.uuid4().hex)
        self._at_once(
            lambda name: self._objects.put_file(tree.place(name), folder / name, tree.files[name].sha256), tree.files
        )
        if self._objects.put(f"{key}{TREE}", tree.to_bytes(), fresh=True):
            self._trees[key] = tree
            self._keep(folder, tree)
        else:
            with suppress(CoachworksError):  # nobody sees them
                self._at_once(lambda name: self._objects.delete(tree.place(name)), tree.files)

    def set_link(self, name: str, key: str) -> None:
        """A small object that holds the key."""
        key_parts(key)
        self._objects.put(f"{_new(name)}{LINK}", key.encode())

    def resolve_link(self, name: str) -> str:
        """The key that the object of `name` holds."""
        key_parts(name)
        data = self._objects.get(f"{name}{LINK}")
        if data is None:
            raise NotFoundError(f"there is no link {name!r} in the store {self.uri}")
        return data.decode()

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder beside the cache, so that what is published need not be fetched again."""
        return scratch.scratch_folder(self._cache / "tmp")

    def sweep(self) -> None:
        """Remove what processes of this machine that are gone left behind."""
        scratch.sweep(self._cache / "tmp")

    def _note_plain(self, key: str) -> None:
        self._plain.update(above(key))

    def _part_of_known(self, key: str) -> Tree | None:
        for home in (key, *above(key)):
            tree = self._trees.get(home)
            if tree is not None and (home == key or tree.part(key)):
                return tree
        return None

    def _tree(self, key: str) -> Tree | None:
        """The tree that stands under `key` or above it."""
        for home in (key, *above(key)):
            if home not in self._plain and (tree := self._manifest_or_none(home)) is not None:
                return tree
        return None

    def _manifest_or_none(self, key: str) -> Tree | None:
        if key not in self._trees:
            data = self._objects.get(f"{key}{TREE}")
            if data is None:
                return None
            try:
                self._trees[key] = Tree.from_bytes(data)
            except (ValueError, KeyError, TypeError) as err:
                raise DataError(
                    f"{self._objects.place(key)}{TREE} must be the manifest of a tree; it cannot be read: {err}. "
                    "Delete it, and the tree is made again."
                ) from err
            self._plain.update(above(key))
        return self._trees[key]

    def _manifest(self, key: str) -> Tree:
        tree = self._manifest_or_none(key)
        if tree is None:
            raise self._missing(key)
        return tree

    def _fetch_object(self, key: str) -> Path | None:
        while (standing := self._objects.head(key)) is not None:
            version = "".join(c for c in standing.etag if c.isalnum() or c == "-")
            path = self._cache / "objects" / key / version / key.rpartition("/")[2]
            if path.exists():
                return path
            if self._bring(key, path, standing.size, etag=standing.etag, sha256=standing.sha256):
                return path
        return None

    def _fetch_part(self, tree: Tree, key: str) -> Path:
        home = self._cache / "trees" / tree.key / tree.attempt
        part = tree.part(key)

        def bring(name: str) -> None:
            path, file = home / name, part[name]
            if path.exists() and path.stat().st_size == file.size:
                return
            if not self._bring(tree.place(name), path, file.size, sha256=file.sha256, executable=file.executable):
                raise self._lost(tree, name)

        self._at_once(bring, part)
        if key == tree.key:
            for name in (".", *tree.empty):
                (home / name).mkdir(parents=True, exist_ok=True)
        return home / key[len(tree.key) + 1 :]

    def _bring(
        self, key: str, path: Path, size: int, *, etag: str | None = None, sha256: str | None, executable: bool = False
    ) -> bool:
        """Copy an object into the cache: written aside and renamed, for other processes use the cache too."""
        aside = scratch.aside(self._cache / "tmp")
        try:
            if not self._objects.download(key, aside, size, etag=etag, sha256=sha256):
                return False
            if executable:
                aside.chmod(0o755)
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        return True

    def _keep(self, folder: Path, tree: Tree) -> None:
        """What was published from here need not be fetched."""
        home = self._cache / "trees" / tree.key / tree.attempt
        with suppress(OSError):  # from elsewhere, or fetched by another process meanwhile
            home.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(home)

    @staticmethod
    def _at_once(work: Callable[[str], None], names: Iterable[str]) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="store") as pool:
            for future in [pool.submit(work, name) for name in names]:
                future.result()

    def _missing(self, key: str) -> NotFoundError:
        return NotFoundError(f"{key!r} is not in the store {self.uri}")

    def _lost(self, tree: Tree, name: str) -> DataError:
        return DataError(
            f"{tree.key!r} of the store {self.uri} has lost its file {name!r}. "
            f"Delete {self._objects.place(tree.key)}{TREE}, and it is made again."
        )


def _new(key: str) -> str:
    return "/".join(new_key_parts(key))
