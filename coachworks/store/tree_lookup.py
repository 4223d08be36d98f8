"""Lookup of trees in a bucket: which tree a key belongs to, and which objects a listing shows."""

from collections.abc import Iterable

from coachworks.errors import NotFoundError
from coachworks.s3 import Objects
from coachworks.store.protocol import ATTEMPT, LINK, TREE
from coachworks.store.tree import Tree, parents, parse_manifest


class TreeLookup:
    """The trees of a bucket, found by their manifests. Trees are immutable, so manifests are read once and kept.

    Args:
        objects: The objects of the store.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._trees: dict[str, Tree] = {}
        self._not_trees: set[str] = set()  # folders that hold objects, and therefore are not trees

    def find(self, key: str) -> Tree | None:
        """Return the tree that is at `key` or above it, if any."""
        for folder in (key, *parents(key)):
            if folder not in self._not_trees and (tree := self.load(folder)) is not None:
                return tree
        return None

    def find_known(self, key: str) -> Tree | None:
        """Return the tree that contains `key` if its manifest has been read before; sends no request."""
        for folder in (key, *parents(key)):
            tree = self._trees.get(folder)
            if tree is not None and (folder == key or tree.part(key)):
                return tree
        return None

    def load(self, key: str) -> Tree | None:
        """Return the tree `key`, or None if there is no such tree.

        Raises:
            DamagedError: its manifest is not what was written.
        """
        if key not in self._trees:
            data = self._objects.get(f"{key}{TREE}")
            if data is None:
                return None
            self.add(parse_manifest(data, key, self._objects.address("").rstrip("/"), f"{key}{TREE}"), key)
        return self._trees[key]

    def add(self, tree: Tree, key: str) -> None:
        """Remember the tree `key`."""
        self._trees[key] = tree
        self.add_object(key)

    def forget(self, key: str) -> None:
        """Forget the tree `key`, which was removed."""
        self._trees.pop(key, None)

    def add_object(self, key: str) -> None:
        """Remember that an object or a whole tree is at `key`, so that no folder above it can be a tree."""
        self._not_trees.update(parents(key))

    def visible(self, keys: Iterable[str]) -> set[str]:
        """Return the keys of a store among the keys of a bucket's objects.

        Manifests, links, and files of attempts that did not win are left out; files of trees get the key of their tree.
        """
        shown: set[str] = set()
        attempts: dict[str, dict[str, list[str]]] = {}
        manifests: set[str] = set()
        for key in keys:
            folder, mark, rest = key.partition(f"/{ATTEMPT}")
            if mark:
                attempt, _, name = rest.partition("/")
                attempts.setdefault(folder, {}).setdefault(attempt, []).append(name)
            elif key.endswith(TREE):
                manifests.add(key.removesuffix(TREE))
            elif not key.endswith(LINK):
                shown.add(key)
        for folder in manifests:
            tried = attempts.get(folder, {})
            # With a single attempt, the manifest names its files: no need to read it.
            names = next(iter(tried.values())) if len(tried) == 1 else self._files(folder)
            shown.update(f"{folder}/{name}" for name in names)
        return shown

    def _files(self, key: str) -> Iterable[str]:
        tree = self.load(key)
        if tree is None:
            raise NotFoundError(f"{self._objects.address(key)}{TREE} was deleted during a listing. Run again.")
        return tree.files
