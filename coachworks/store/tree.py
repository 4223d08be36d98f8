"""Trees: files, and one manifest that lists them with their digests.

In a folder, a tree `results/split/3f…` is a folder of that name, and its manifest is the file `.tree` in it: one rename
publishes both. Trees that earlier versions published in a folder have no manifest; their files are not compared.

In a bucket, a tree `results/split/3f…` is the manifest `results/split/3f….tree` (JSON) and the files that it lists,
under `results/split/3f…/@<attempt>/`. Every attempt to publish the tree uploads to a prefix of its own and then creates
the manifest by a conditional write, which only the first one can do. The files of other attempts have no manifest and
are invisible. (The manifest is not called `results/split/3f…`, because servers that keep objects as files cannot hold
an object `a` beside `a/b`.)
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from coachworks.digests import digest_file
from coachworks.errors import DamagedError
from coachworks.store.protocol import ATTEMPT, TREE
from coachworks.store.seal import seal, unsealed


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree.

    Attributes:
        size: Size in bytes.
        sha256: Digest of the content.
        executable: True if the file has the executable bit.
    """

    size: int
    sha256: str
    executable: bool = False


@dataclass(frozen=True)
class Tree:
    """A published tree; immutable.

    Attributes:
        key: Key of the tree.
        attempt: Identifier of the attempt that published it.
        files: Files by relative path.
        empty: Relative paths of empty folders.
    """

    key: str
    attempt: str
    files: Mapping[str, TreeFile] = field(default_factory=dict)
    empty: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """Return the key of the bucket's object with the content of the file `name`."""
        return f"{self.key}/{ATTEMPT}{self.attempt}/{name}"

    def relative(self, key: str) -> str:
        """Return the path of `key` relative to the tree; empty for the tree itself."""
        return key[len(self.key) + 1 :]

    def digest(self, key: str) -> str | None:
        """Return the SHA-256 of the file at `key`, if the manifest lists it."""
        file = self.files.get(self.relative(key))
        return None if file is None else file.sha256

    def part(self, key: str) -> dict[str, TreeFile]:
        """Return the files at or under `key`, which is the tree's key or one below it."""
        if key == self.key:
            return dict(self.files)
        inside = self.relative(key)
        return {name: file for name, file in self.files.items() if name == inside or name.startswith(f"{inside}/")}

    def to_bytes(self) -> bytes:
        """Return the content of the manifest, sealed with its digest."""
        return seal(json.dumps(asdict(self), indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tree":
        """Parse the content of a manifest.

        Raises:
            ValueError, KeyError, TypeError: it is not what was written.
        """
        document = json.loads(unsealed(data))
        files = {name: TreeFile(**file) for name, file in document["files"].items()}
        return cls(document["key"], document["attempt"], files, tuple(document["empty"]))

    @classmethod
    def of_folder(cls, folder: Path, key: str, attempt: str) -> "Tree":
        """Describe the local folder `folder` as a tree."""
        files, empty = {}, []
        for path in sorted(folder.rglob("*")):
            if path == folder / TREE:
                continue
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                if not any(path.iterdir()):
                    empty.append(name)
            else:
                stat = path.stat()
                files[name] = TreeFile(stat.st_size, digest_file(path), bool(stat.st_mode & 0o100))
        return cls(key, attempt, files, tuple(empty))


def parse_manifest(data: bytes, key: str, store: str, place: str) -> Tree:
    """Parse the manifest of the tree `key`.

    Args:
        data: Its content.
        key: Key of the tree.
        store: Address of the store.
        place: Key of the manifest.

    Raises:
        DamagedError: it is not what was written.
    """
    try:
        tree = Tree.from_bytes(data)
    except (ValueError, KeyError, TypeError) as err:
        raise DamagedError(place, store, f"it must be the manifest of a tree; it cannot be read: {err}") from err
    if tree.key != key:
        raise DamagedError(place, store, f"it must be the manifest of {key!r}; it is that of {tree.key!r}")
    return tree


def lost_file(tree: Tree, name: str, store: str) -> DamagedError:
    """Return the error for a file that a manifest lists and the store at the address `store` lacks."""
    return DamagedError(f"{tree.key}/{name}", store, "it is missing")


def parents(key: str) -> list[str]:
    """Return the keys above `key`, the nearest first; each of them may be a tree."""
    return [str(parent) for parent in PurePosixPath(key).parents][:-1]
