"""Contents of a store in a bucket."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from coachworks.errors import DamagedError
from coachworks.s3 import ObjectInfo, Objects
from coachworks.store.comparison import named_digest, other_digest
from coachworks.store.contents import LEFTOVER, LINK_FORM, OBJECT, TREE_FORM, Comparison, Content, OnRead
from coachworks.store.downloads import Downloads, for_each
from coachworks.store.protocol import ATTEMPT, LINK, TREE
from coachworks.store.tree import Tree, parse_manifest
from coachworks.store.tree_lookup import TreeLookup

_UPLOAD_TIME = timedelta(days=1)  # files without a manifest may belong to an upload in progress until then


class BucketContents:
    """See `coachworks.store.contents.Contents`.

    Args:
        objects: The objects of the store.
        downloads: The copies on this machine.
        trees: The trees that the store knows.
    """

    def __init__(self, objects: Objects, downloads: Downloads, trees: TreeLookup) -> None:
        self._objects, self._downloads, self._trees = objects, downloads, trees

    @property
    def _uri(self) -> str:
        return self._objects.address("").rstrip("/")

    def walk(self) -> Iterator[Content]:
        """Yield everything under the prefix; files of uploads that may be in progress are left out."""
        attempts: dict[str, dict[str, list[ObjectInfo]]] = {}
        manifests: dict[str, ObjectInfo] = {}
        for key, info in self._objects.list():
            folder, mark, rest = key.partition(f"/{ATTEMPT}")
            if mark:
                attempts.setdefault(folder, {}).setdefault(rest.partition("/")[0], []).append(info)
            elif key.endswith(TREE):
                manifests[key.removesuffix(TREE)] = info
            elif key.endswith(LINK):
                yield Content(key.removesuffix(LINK), LINK_FORM, info.size, info.etag)
            else:
                yield Content(key, OBJECT, info.size, info.etag)
        for key, info in manifests.items():
            tried = attempts.get(key, {})
            winner: str = next(iter(tried), "") if len(tried) == 1 else self._winner(key)
            files = tried.pop(winner, [])
            yield Content(key, TREE_FORM, sum(file.size for file in files), info.etag)
        for folder, others in attempts.items():
            for attempt, files in others.items():
                if max(file.written_at for file in files) < datetime.now(UTC) - _UPLOAD_TIME:
                    yield Content(f"{folder}/{ATTEMPT}{attempt}", LEFTOVER, sum(file.size for file in files), "")

    def _winner(self, key: str) -> str:
        tree = self._manifest(key)
        return tree.attempt if isinstance(tree, Tree) else ""

    def _manifest(self, key: str) -> Tree | DamagedError | None:
        try:
            data = self._objects.get(f"{key}{TREE}")
            return None if data is None else parse_manifest(data, key, self._uri, f"{key}{TREE}")
        except DamagedError as err:
            return err

    def compare(self, content: Content, on_read: OnRead) -> Comparison:
        """Read a content and compare it with its digests."""
        if content.form == LEFTOVER:
            return Comparison({}, digests=True)
        if content.form == TREE_FORM:
            return self._compare_tree(content.key, on_read)
        if content.form == LINK_FORM:
            problem = self._lost_link(content.key)
            return Comparison({} if problem is None else {content.key: problem}, digests=True)
        info = self._objects.head(content.key)
        digest = named_digest(content.key) or (info.sha256 if info else None)
        problem = self._difference(content.key, digest, content.size, on_read)
        return Comparison({} if problem is None else {content.key: problem}, digests=digest is not None)

    def _compare_tree(self, key: str, on_read: OnRead) -> Comparison:
        tree = self._manifest(key)
        if not isinstance(tree, Tree):
            return Comparison({f"{key}{TREE}": "it is missing" if tree is None else tree.problem}, digests=True)
        problems = {
            f"{key}/{name}": problem
            for name, file in tree.files.items()
            if (problem := self._difference(tree.place(name), file.sha256, file.size, on_read)) is not None
        }
        return Comparison(problems, digests=True)

    def _lost_link(self, name: str) -> str | None:
        try:
            data = self._objects.get(f"{name}{LINK}")
        except DamagedError as err:
            return err.problem
        target = (data or b"").decode("utf-8", "replace")
        if target and (self._objects.head(f"{target}{TREE}") or any(self._objects.list(f"{target}/", limit=1))):
            return None
        return f"it leads to {target!r}, where nothing is"

    def _difference(self, key: str, digest: str | None, size: int, on_read: OnRead) -> str | None:
        info = self._objects.head(key)
        if info is None:
            return "it is missing"
        if info.size != size:
            return f"it must have {size} bytes, and has {info.size}"
        hasher = hashlib.sha256()
        for block in self._objects.blocks(key, size):
            hasher.update(block)
            on_read(len(block))
        if digest is None or hasher.hexdigest().startswith(digest):
            return None
        return other_digest(hasher.hexdigest(), digest)

    def remove(self, content: Content) -> None:
        """Remove a content; of a tree the manifest first, so that nobody sees half of it."""
        key = content.key
        if content.form == LINK_FORM:
            self._objects.delete(f"{key}{LINK}")
        elif content.form == OBJECT:
            self._objects.delete(key)
            self._downloads.remove_object(key)
        else:
            if content.form == TREE_FORM:
                self._objects.delete(f"{key}{TREE}")
            for_each(self._objects.delete, [each for each, _ in self._objects.list(f"{key}/")])
            self._downloads.remove_tree(key)
            self._trees.forget(key)
