"""The code behind a result: every file of this project that a module can reach, and their digest.

The files are found by reading the import statements, without running them: those at module level and inside functions,
the `__init__` of every package on the way, and the data files that lie beside these modules. So the digest changes with
every file that can change what the module does, and with no other.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

from coachworks.digests import digest_file, digest_json
from coachworks.errors import NotFoundError

PACKAGES = ("coachworks", "components", "pipelines", "serving", "validation")  # the top-level packages of this project
ROOT = Path(__file__).parents[1]  # the folder that holds them: a checkout, site-packages, or a folder of an image

_MODULE_NAME = re.compile(rf"((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?::\w+)?")  # also `serving.service:Answers`
_PARSING = Lock()  # in Python 3.11, `ast.parse` in two threads at once may raise SystemError (cpython#106905)
_NO_DATA = re.compile(r"\..*|__pycache__|shipped_files|.*(?:~|\.(?:pyc|pyo|bak|orig|rej|swp|tmp))")


def code_digest(module: str, *, root: Path = ROOT) -> str:
    """Return the digest of the code that `module` can reach, 16 hexadecimal digits.

    Equal code has an equal digest in a checkout, an installed wheel and an image. It is part of the key of a step's
    results; a step calls it as `code_digest(__name__)`. The version of coachworks is included as a line of
    `coachworks/__init__.py`; it stands for the versions of the libraries, which requirements.lock pins per version.

    Args:
        module: Full name of the module, such as `components.evaluate.step`.
        root: Folder of the top-level packages.

    Raises:
        NotFoundError: there is no such module.
    """
    return digest_json({name: digest_file(path) for name, path in reachable_files(module, root=root).items()})[:16]


def reachable_files(*modules: str, root: Path = ROOT) -> dict[str, Path]:
    """Find the files that modules can reach: their own, those of the modules they import, and the data beside them.

    Data is every file that is no module in the folder of a reached module, and in its sub-folders that are no packages;
    hidden files, backups and caches do not count. Imports for the type checker alone (`if TYPE_CHECKING:`) do not
    count. A string that is exactly the name of a module counts as an import, because processes and servers are started
    by name.

    Args:
        modules: Full names of the modules to start from.
        root: Folder of the top-level packages.

    Returns:
        Paths by name relative to `root`, in the order of the names.

    Raises:
        NotFoundError: there is no such module.
    """
    for module in modules:
        if _locate(module, root) is None:
            raise NotFoundError(f"the module {module!r} must be in {str(root)!r}; it is not")
    reached: set[Path] = set()
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _locate(name, root)
        if path is None:  # an attribute of a module
            continue
        reached.add(path)
        waiting.extend(_imports(path.read_bytes()))
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    reached.update([file for folder in {path.parent for path in reached} for file in _data_files(folder)])
    return {path.relative_to(root).as_posix(): path for path in sorted(reached)}


def _locate(name: str, root: Path) -> Path | None:
    """Return the path of a module's source; None where there is no such module."""
    place = root.joinpath(*name.split("."))
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


@cache  # by content: one parse per process, and none where a file has changed meanwhile
def _imports(source: bytes) -> tuple[str, ...]:
    """Names of this project's modules that a module imports; `from a import b` gives `a` and `a.b`."""
    names: set[str] = set()
    with _PARSING:
        nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                nodes.extend(node.orelse)
                continue
            case ast.Import():
                names.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                names.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
            case ast.Constant(value=str(text)) if match := _MODULE_NAME.fullmatch(text):
                names.add(match[1])
        nodes.extend(ast.iter_child_nodes(node))
    return tuple(sorted(name for name in names if name.partition(".")[0] in PACKAGES))


def _data_files(folder: Path) -> Iterator[Path]:
    """The files of a folder that are no modules, and those of its sub-folders that are no packages."""
    modules_lie_here = (folder / "__init__.py").exists()
    for path in folder.iterdir():
        if _NO_DATA.fullmatch(path.name):
            continue
        if path.is_dir():
            if not (path / "__init__.py").exists():
                yield from _data_files(path)
        elif path.suffix != ".py" or not modules_lie_here:
            yield path
