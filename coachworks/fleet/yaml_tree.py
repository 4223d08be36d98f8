"""YAML as a tree that holds the place of every value, with bounds against hostile files.

It contains only dictionaries, lists, text, numbers, true, false and null. It is built from the parser's events, so that
depth and size (aliases counted as often as they are used) are checked while it grows. `yaml.compose` would give nodes
with marks too, but it puts the place of the anchor on each alias, and stops at the first unknown alias.

The parser is that of libyaml, which reads a file of the largest size in a tenth of a second; one in Python takes three.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from coachworks.fleet.problems import Problem

Path = tuple[str | int, ...]

MAX_DEPTH = 32  # a fleet file needs 8
MAX_NODES = 100_000  # some 500 skills of 100 labels, every one with settings of its own
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in Python where PyYAML lacks libyaml
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULL = re.compile(r"null|Null|NULL|~|")
# YAML 1.1 reads yes, no, on and off as booleans and YAML 1.2 does not: quotes make the meaning clear.
_BOOLEAN = re.compile(r"true|false|yes|no|on|off", re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,4})?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Node:
    """A value and its place.

    Attributes:
        value: The value: dict, list, str, int, float, bool or None.
        line: Line of its first character, from 1.
        column: Column of its first character, from 1.
        text: A plain scalar's own characters, as in the file; None where it was quoted or is no scalar.
        children: The nodes of a mapping's values by key, or of a sequence's items by index.
        keys: The nodes of a mapping's keys.
        size: Nodes below and including this one, each as often as aliases repeat it.
    """

    value: Any
    line: int
    column: int
    text: str | None = None
    children: dict[str | int, "Node"] = field(default_factory=dict)
    keys: dict[str | int, "Node"] = field(default_factory=dict)
    size: int = 1


class _TooMuchError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_tree(text: str, *, repeated: Callable[[Path, str, int], str]) -> tuple[Node | None, list[Problem]]:
    """Parse one YAML document into a tree.

    Args:
        text: The document.
        repeated: Returns the message for a key that a mapping has twice, from the mapping's path, the key and the
            line of the first one.

    Returns:
        The root, None where the text is empty or no YAML; and its problems as YAML, in no special order.
    """
    builder = _Builder(repeated)
    refused = _REFUSED.search(text)
    if refused is not None:
        return None, [_refused_character(text, refused.start())]
    try:
        root = builder.document(yaml.parse(text, Loader=_PARSER))
    except _TooMuchError as err:
        return None, [*builder.problems, err.problem]
    except (YAMLError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as err:
        # Beside its own errors, the parser in Python raises these on some malformed directives and escapes.
        return None, [*builder.problems, _syntax_problem(err, text)]
    return root, builder.problems


class _Builder:
    def __init__(self, repeated: Callable[[Path, str, int], str]) -> None:
        self.problems: list[Problem] = []
        self._repeated = repeated
        self._anchors: dict[str, Node | None] = {}
        self._count = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._report(event, "a fleet file must hold one document. Remove what begins at this `---`.")
                    return root
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent, ScalarEvent, AliasEvent)):
                root = self._node(event, events, ())
            elif isinstance(event, (StreamStartEvent, StreamEndEvent)):
                continue
        return root

    def _node(self, event: Any, events: Iterator[Any], path: Path) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, AliasEvent):
            return self._aliased(event, line, column)
        if len(path) > MAX_DEPTH:
            raise _TooMuchError(Problem(line, column, f"values must not be nested more than {MAX_DEPTH} deep"))
        self._grow(1, line, column)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # incomplete: an alias to it from within would be endless
        if event.tag is not None and event.tag != "!":
            self._report(event, f"the tag {event.tag!s} is not supported. Remove it; quote what must be text.")
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, line, column)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(events, Node([], line, column), path)
        else:
            node = self._mapping(events, Node({}, line, column), path)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: AliasEvent, line: int, column: int) -> Node:
        if event.anchor not in self._anchors:
            self._report(
                event, f"the alias *{event.anchor} must follow its anchor; there is no &{event.anchor} before it."
            )
            return Node(None, line, column)
        target = self._anchors[event.anchor]
        if target is None:
            raise _TooMuchError(Problem(line, column, f"the alias *{event.anchor} must not be inside its own anchor"))
        self._grow(target.size, line, column)
        return Node(target.value, line, column, target.text, target.children, target.keys, target.size)

    def _scalar(self, event: ScalarEvent, line: int, column: int) -> Node:
        text = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._report(event, f"text must be valid Unicode; got {text!r}")
            text = text.encode("utf-8", "replace").decode()
        if event.style or event.tag is not None:
            return Node(text, line, column)
        return Node(resolve(text), line, column, text)

    def _sequence(self, events: Iterator[Any], node: Node, path: Path) -> Node:
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            child = self._node(event, events, (*path, len(node.value)))
            node.children[len(node.value)] = child
            node.value.append(child.value)
            node.size += child.size
        return node

    def _mapping(self, events: Iterator[Any], node: Node, path: Path) -> Node:
        merged: list[Node] = []
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._node(event, events, (*path, "?"))
            name = self._key(key)
            child = self._node(next(events), events, (*path, name if name is not None else "?"))
            node.size += child.size + 1
            if name is None:
                continue
            if name == "<<" and key.text is not None:
                merged.extend(child.children.values() if isinstance(child.value, list) else [child])
            elif name in node.children:
                first = node.keys[name].line
                self.problems.append(Problem(key.line, key.column, self._repeated(path, name, first)))
            else:
                node.keys[name], node.children[name], node.value[name] = key, child, child.value
        for source in merged:
            self._merge(source, node)
        return node

    def _merge(self, source: Node, node: Node) -> None:
        if not isinstance(source.value, dict):
            self.problems.append(Problem(source.line, source.column, "`<<` needs a mapping, as in `<<: *name`"))
            return
        for name, child in source.children.items():
            if name not in node.children:
                node.keys[name], node.children[name], node.value[name] = source.keys[name], child, child.value

    def _key(self, key: Node) -> str | None:
        if isinstance(key.value, str):
            return key.value
        if key.text:
            message = f'a key must be text; YAML reads {key.text} as {kind_of(key.value)}. Quote it: "{key.text}".'
        else:
            message = f"a key must be text; got {kind_of(key.value)}"
        self.problems.append(Problem(key.line, key.column, message))
        return None

    def _grow(self, amount: int, line: int, column: int) -> None:
        self._count += amount
        if self._count > MAX_NODES:
            raise _TooMuchError(
                Problem(
                    line, column, f"the file must have at most {MAX_NODES} values, those repeated by aliases included"
                )
            )

    def _report(self, event: Any, message: str) -> None:
        self.problems.append(Problem(event.start_mark.line + 1, event.start_mark.column + 1, message))


def kind_of(value: object) -> str:
    """Return the kind of a value, in plain words.

    >>> kind_of({}), kind_of(True), kind_of(1.5)
    ('a mapping', 'true or false', 'a number')
    """
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "nothing"


def resolve(text: str) -> str | int | float | bool | None:
    """Return the value of a plain scalar.

    >>> resolve("wheel"), resolve("no"), resolve("12")
    ('wheel', False, 12)
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() in {"true", "yes", "on"}
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if _NOT_A_NUMBER.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def _refused_character(text: str, index: int) -> Problem:
    line, column = text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
    return Problem(line, column, f"not valid YAML: the character {text[index]!r} is not allowed. Remove it.")


def _syntax_problem(err: Exception, text: str) -> Problem:
    mark = (err.problem_mark or err.context_mark) if isinstance(err, MarkedYAMLError) else None
    if isinstance(err, MarkedYAMLError) and mark is not None:
        what = str(err.problem or err.context or "it cannot be read").strip()
        rest = next(islice(text.splitlines(), mark.line, None), "")[mark.column :]
        hint = " Indent with spaces." if rest.startswith("\t") else ""
        return Problem(mark.line + 1, mark.column + 1, f"not valid YAML: {what}.{hint}")
    return Problem(1, 1, f"not valid YAML: {(str(err) or type(err).__name__).splitlines()[0]}.")
