"""The tree of exceptions in the docstring of `coachworks.errors`, compared with the classes in the code."""

import ast
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from coachworks import errors

FILE = Path(errors.__file__)
ROOT = FILE.parents[1]
HERE = "coachworks.errors"
TREE = re.compile(r"(?<=::\n\n)(    .*\n)+")
Classes = dict[str, tuple[str, str]]  # name -> (base class, module)


def defined_errors() -> Classes:
    """Return the classes in the code that derive from CoachworksError, and that class itself."""
    classes: Classes = {}
    for folder in ("coachworks", "components", "pipelines", "serving", "validation"):
        for file in (ROOT / folder).rglob("*.py"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and node.bases:
                    classes[node.name] = (ast.unparse(node.bases[0]).rpartition(".")[2], module)
    derived = {"CoachworksError"}
    while more := {name for name, (base, _) in classes.items() if base in derived} - derived:
        derived |= more
    return {name: classes[name] for name in derived}


def draw(classes: Classes, name: str = "CoachworksError", depth: int = 1) -> Iterator[str]:
    """Draw a class and those that derive from it; the classes of `coachworks.errors` come first."""
    module = classes[name][1]
    yield f"{'    ' * depth + name:36}{'' if module == HERE else module}".rstrip()
    children = [child for child, (base, _) in classes.items() if base == name]
    for child in sorted(children, key=lambda child: (classes[child][1] != HERE, child)):
        yield from draw(classes, child, depth + 1)


def test_the_golden_docstring_draws_the_tree_of_all_errors(golden: Callable[[Path, str], None]) -> None:
    tree = "\n".join(draw(defined_errors())) + "\n"
    drawn, count = TREE.subn(lambda _: tree, FILE.read_text("utf-8"), count=1)
    assert count == 1
    golden(FILE, drawn)


def test_a_photo_error_survives_pickling_with_its_reason() -> None:
    error = pickle.loads(pickle.dumps(errors.PhotoError("empty", "the file is empty")))  # noqa: S301 — our own bytes
    assert (error.reason, str(error)) == ("empty", "the file is empty")
