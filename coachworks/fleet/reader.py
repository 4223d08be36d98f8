"""Reader of `fleet.yaml`: reports all problems at once, each with its line and column."""

from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from coachworks.fleet.error_messages import message
from coachworks.fleet.model import Fleet
from coachworks.fleet.problems import InvalidFleetError, Problem
from coachworks.fleet.yaml_tree import Node, kind_of, read_tree
from coachworks.regular_files import read_regular

MAX_BYTES = 1024 * 1024  # a fleet of 500 skills takes 200 kB


def read_fleet(path: Path) -> Fleet:
    """Read the fleet file `path`; relative paths in it become absolute.

    Raises:
        InvalidFleetError: the file is not a valid fleet file; the error lists all its problems.
    """
    text = _read_text(path)
    fleet, problems = (None, [text]) if isinstance(text, Problem) else examine(text)
    if fleet is None:
        raise InvalidFleetError(path, problems)
    return fleet.located(path.absolute().parent)


class Places:
    """Places of settings in a valid fleet file, for problems that only a library could find.

    Args:
        path: The fleet file; read at the first problem.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def problem(self, location: tuple[str | int, ...], message: str, *, key_itself: bool = False) -> Problem:
        """Return a problem at the place of its setting.

        Args:
            location: Keys of the setting, from the root; a missing one gives the place of the nearest one above.
            message: Message of the library.
            key_itself: Whether the problem is about the last key rather than its value.
        """
        if self._root is None:
            return Problem(1, 1, message)
        place, _ = _walk(self._root, location, key_itself=key_itself)
        return Problem(place.line, place.column, message)

    @cached_property
    def _root(self) -> Node | None:
        text = _read_text(self._path)
        return None if isinstance(text, Problem) else _tree(text)[0]


def examine(text: str) -> tuple[Fleet | None, list[Problem]]:
    """Parse the text of a fleet file. Return the fleet, None if the text has problems, and the problems."""
    root, problems = _tree(text)
    if root is None or root.value is None:
        return None, sorted(problems) or [Problem(1, 1, f"a fleet file must not be empty. {_WRITE_ONE}")]
    if not isinstance(root.value, dict):
        rule = f"a fleet file must be a mapping that begins with `apiVersion`; got {kind_of(root.value)}"
        return None, sorted([*problems, Problem(root.line, root.column, rule)])
    try:
        fleet = Fleet.model_validate(root.value, by_alias=True, by_name=False)
    except ValidationError as err:
        located = [_locate(error, root) for error in err.errors(include_url=False)]
        return None, sorted({*problems, *located})
    return (None if problems else fleet), sorted(problems)


@lru_cache(maxsize=1)
def _tree(text: str) -> tuple[Node | None, list[Problem]]:
    """Parse a fleet file; once, where it is first read and then looked at for the places of warnings."""
    return read_tree(text, repeated=_repeated)


_WRITE_ONE = "Write one with `coachworks init PHOTOS`, or name another with `-f FILE`."


def _read_text(path: Path) -> str | Problem:
    try:
        data = read_regular(path, MAX_BYTES + 1)
    except FileNotFoundError:
        return Problem(1, 1, f"there is no such file. {_WRITE_ONE}")
    except IsADirectoryError:
        return Problem(1, 1, "a fleet file must be a file; this is a folder. Name the fleet.yaml in it with `-f FILE`.")
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        return Problem(1, 1, f"the file cannot be read: {reason}")
    if len(data) > MAX_BYTES:
        return Problem(1, 1, f"a fleet file must have at most {MAX_BYTES} bytes; this one is larger")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        before = data[: err.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace")) + 1
        return Problem(
            line, column, f"a fleet file must be UTF-8; got the byte 0x{data[err.start]:02x}. Save it as UTF-8."
        )


def _repeated(path: tuple[str | int, ...], key: str, first_line: int) -> str:
    if path == ("spec", "skills"):
        return f"two skills must not have the same name; {key!r} is on line {first_line} too. Rename one of them."
    return f"the key {key!r} must be in its mapping once; it is on line {first_line} too. Remove one of them."


def _locate(error: ErrorDetails, root: Node) -> Problem:
    location = error["loc"]
    key_itself = error["type"] == "extra_forbidden" or location[-1:] == ("[key]",)
    if location[-1:] == ("[key]",):
        location = location[:-1]
    place, node = _walk(root, location, key_itself=key_itself)
    return Problem(place.line, place.column, message(error, location, node))


def _walk(root: Node, location: tuple[int | str, ...], *, key_itself: bool = False) -> tuple[Node, Node]:
    """Return the node that a reader of the file looks at for the value at `location`, and the node of the value."""
    node = place = root
    for step in location:
        if step not in node.children:
            break
        key = node.keys.get(step)
        node = node.children[step]
        last_key = key_itself and step == location[-1]
        place = key if key is not None and (last_key or _is_block(node, key)) else node
    return place, node


def _is_block(node: Node, key: Node) -> bool:
    """Return whether a value begins on a line below its key; then readers look at the key."""
    return node.line > key.line or node.value is None
