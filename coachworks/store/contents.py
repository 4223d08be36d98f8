"""Contents of a store as they lie there, for its verification: objects, trees, links, and leftover files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

Form = Literal["object", "tree", "link", "leftover"]
OBJECT: Form = "object"
TREE_FORM: Form = "tree"
LINK_FORM: Form = "link"
LEFTOVER: Form = "leftover"
OnRead = Callable[[int], None]  # called with the number of bytes that were read


@dataclass(frozen=True)
class Content:
    """An object, a tree, a link, or the files of a killed process.

    Attributes:
        key: Its key; that of its folder for what was left over.
        form: Which of them it is.
        size: Size of its files in bytes.
        stamp: Text that changes when it is written again.
    """

    key: str
    form: Form
    size: int
    stamp: str


@dataclass(frozen=True)
class Comparison:
    """Outcome of the comparison of a content with its digests.

    Attributes:
        problems: What differs, in words, by key of the file.
        digests: Whether it has digests at all; earlier versions wrote none for the trees of a folder.
    """

    problems: dict[str, str]
    digests: bool


class Contents(Protocol):
    """Walks the contents of a store, compares and removes them; nothing comes from a cache."""

    def walk(self) -> Iterator[Content]:
        """Yield everything in the store, in any order."""

    def compare(self, content: Content, on_read: OnRead) -> Comparison:
        """Read a content and compare it with its digests."""

    def remove(self, content: Content) -> None:
        """Remove a content, and copies of it on this machine. Nothing happens if it is gone already."""
