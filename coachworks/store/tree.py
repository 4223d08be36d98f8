"""Trees in a bucket: their files under an attempt's own prefix, and one manifest that makes them visible, whole.

A tree `results/split/3f…` is the object `results/split/3f….tree`, JSON, and the files it names under
`results/split/3f…/@<attempt>/`. Attempts that lost, or were killed, have files and no manifest: nobody sees them. (An
object `a` beside `a/b` is more than servers can hold that keep objects as files: hence the manifest's own name.)
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from coachworks.digests import digest_file
from coachworks.store.protocol import ATTEMPT


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree.

    Attributes:
        size: Bytes.
        sha256: Digest of its content.
        executable: Whether it is a program.
    """

    size: int
    sha256: str
    executable: bool = False


@dataclass(frozen=True)
class Tree:
    """A published tree; it never changes.

    Attributes:
        key: Its key.
        attempt: Which of the attempts to publish it won.
        files: Its files by relative path.
        empty: Its folders that hold nothing.
    """

    key: str
    attempt: str
    files: Mapping[str, TreeFile] = field(default_factory=dict)
    empty: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """Key of the object that holds the file `name`."""
        return f"{self.key}/{ATTEMPT}{self.attempt}/{name}"

    def part(self, key: str) -> dict[str, TreeFile]:
        """The files that `key`, the tree's own key or one beneath it, stands for."""
        if key == self.key:
            return dict(self.files)
        inside = key[len(self.key) + 1 :]
        return {name: file for name, file in self.files.items() if name == inside or name.startswith(f"{inside}/")}

    def to_bytes(self) -> bytes:
        """The manifest."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tree":
        """The tree that a manifest describes."""
        document = json.loads(data)
        files = {name: TreeFile(**file) for name, file in document["files"].items()}
        return cls(document["key"], document["attempt"], files, tuple(document["empty"]))

    @classmethod
    def of_folder(cls, folder: Path, key: str, attempt: str) -> "Tree":
        """The tree that `folder` would be."""
        files, empty = {}, []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                if not any(path.iterdir()):
                    empty.append(name)
            else:
                stat = path.stat()
                files[name] = TreeFile(stat.st_size, digest_file(path), bool(stat.st_mode & 0o100))
        return cls(key, attempt, files, tuple(empty))


def above(key: str) -> list[str]:
    """The keys above `key`, the nearest first: a tree may stand under any of them."""
    return [str(parent) for parent in PurePosixPath(key).parents][:-1]
