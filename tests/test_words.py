"""Names and docstrings of product code and tests: words that a reader understands at the first reading."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "coachworks", "components", "pipelines", "serving", "tests", "validation")
VAGUE_NAMES = {"told", "said", "given", "wanted", "made", "found"}  # participles: name the value instead
# A first line is an imperative verb or a noun phrase: "Return the …", "Size of …", "True if …".
NOT_FIRST = {
    "what", "where", "whether", "how", "which", "who", "whom", "whose", "when", "why", "that", "if", "says", "tells",
    "nothing", "it", "its", "they", "there", "as", "same",
}  # fmt: skip
Definition = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def names_of(target: ast.expr) -> Iterator[ast.Name]:
    if isinstance(target, ast.Name):
        yield target
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from names_of(element)
    elif isinstance(target, ast.Starred):
        yield from names_of(target.value)


def bound_names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a statement or an expression binds, with their lines."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.For | ast.AsyncFor | ast.comprehension | ast.AugAssign):
        targets = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        targets = [node.optional_vars]
    else:
        targets = []
    for target in targets:
        for name in names_of(target):
            yield name.id, name.lineno
    if isinstance(node, ast.arg):
        yield node.arg, node.lineno
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node.lineno


def violations(text: str) -> list[str]:
    """Lines of a module that break the rules, each with the rule."""
    problems = []
    for node in ast.walk(ast.parse(text)):
        for name, line in bound_names(node):
            if name.strip("_") in VAGUE_NAMES:
                problems.append(f"{line}: the name {name!r}: name the value, such as `message`, `expected`, `rows`")
        if isinstance(node, Definition) and (docstring := ast.get_docstring(node)):
            word = docstring.split()[0].strip("`\"*,.:;’'").lower().removesuffix("'s")
            if word in NOT_FIRST:
                first = docstring.splitlines()[0]
                line = getattr(node, "lineno", 1)
                problems.append(f"{line}: {first!r} begins with {word!r}: use an imperative verb or a noun phrase")
    return problems


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_and_docstrings_use_plain_words(folder: str) -> None:
    modules = {path.relative_to(ROOT): path.read_text("utf-8") for path in sorted((ROOT / folder).rglob("*.py"))}
    assert modules
    assert [f"{path}:{each}" for path, text in modules.items() for each in violations(text)] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("told = 1", "the name 'told'"),
        ("def f(given): pass", "the name 'given'"),
        ("for _found, other in []: pass", "the name '_found'"),
        ("with open('x') as said: pass", "the name 'said'"),
        ('"""What is there."""', "begins with 'what'"),
        ('def f():\n    """Whether it holds."""', "begins with 'whether'"),
        ('class A:\n    """It\'s a class."""', "begins with 'it'"),
    ],
)
def test_other_words_are_reported(text: str, problem: str) -> None:
    (line,) = violations(text)
    assert problem in line


def test_plain_words_pass() -> None:
    assert violations('"""Size of a file."""\ndef read(path):\n    """Return the text."""\n    message = path') == []
