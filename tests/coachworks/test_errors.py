"""The tree of exceptions in the docstring of `coachworks.errors` against the classes in the code."""

import ast
import pickle
from pathlib import Path

from coachworks import errors

ROOT = Path(errors.__file__).parents[1]
Classes = dict[str, tuple[str, str]]  # name -> (base class, module)


def defined() -> Classes:
    """Return the classes in the code that derive from CoachworksError."""
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
    return {name: classes[name] for name in derived if name != "CoachworksError"}


def drawn() -> Classes:
    """Return the classes that the docstring draws."""
    path: list[str] = []
    classes: Classes = {}
    for line in (errors.__doc__ or "").splitlines():
        name, _, module = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 4 - 1
        if depth < 0 or not name.endswith("Error"):
            continue
        path[depth:] = [name]
        if depth:
            classes[name] = (path[depth - 1], module.strip() or "coachworks.errors")
    return classes


def test_the_docstring_draws_the_tree_of_all_errors():
    assert drawn() == defined(), "bring the tree in the docstring of coachworks/errors.py up to date"


def test_a_photo_error_survives_pickling_with_its_reason():
    error = pickle.loads(pickle.dumps(errors.PhotoError("empty", "the file is empty")))  # noqa: S301 — our own bytes
    assert (error.reason, str(error)) == ("empty", "the file is empty")
