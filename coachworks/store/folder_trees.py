"""Trees in a folder: which tree a key belongs to, and whether its files are what was published."""

from pathlib import Path

from coachworks.errors import DamagedError
from coachworks.store.comparison import Stamp, file_difference, stamp
from coachworks.store.protocol import TREE
from coachworks.store.tree import Tree, parents, parse_manifest


class FolderTrees:
    """The trees of a store in a folder that have a manifest.

    Args:
        root: Folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees: dict[str, tuple[Stamp, Tree]] = {}

    def find(self, key: str) -> Tree | None:
        """Return the tree at `key` or above it that has a manifest, if any.

        Raises:
            DamagedError: its manifest is not what was written.
        """
        for folder in (key, *parents(key)):
            path = self._root / folder / TREE
            if path.is_file():
                return self._load(folder, path)
        return None

    def compare(self, tree: Tree, key: str) -> None:
        """Compare the files of `tree` at or under `key` with their digests.

        Raises:
            DamagedError: one of them is not what was published.
        """
        for name, file in tree.part(key).items():
            problem = file_difference(self._root / tree.key / name, file.sha256, file.size)
            if problem:
                raise DamagedError(f"{tree.key}/{name}", str(self._root), problem)

    def _load(self, key: str, path: Path) -> Tree:
        now = stamp(path)
        if key not in self._trees or self._trees[key][0] != now:
            self._trees[key] = now, parse_manifest(path.read_bytes(), key, str(self._root), f"{key}/{TREE}")
        return self._trees[key][1]
