"""The steps of the pipeline, as their three faces need them: KFP component, command, Python function."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

# Each step continues from the result of the one before it; through its inputs it finds all earlier ones.
CHAIN: dict[str, str | None] = {
    "ingest": None,
    "split": "ingest",
    "validate": "split",
    "augment": "validate",
    "embed": "augment",
    "train": "embed",
    "evaluate": "train",
    "register": "evaluate",
    "package": "register",
    "document": "package",
    "deploy": "document",
}
OPTIONAL = frozenset({"deploy"})  # part of a fleet's pipeline only if its file says so
# The steps that a run can end with: only optional ones follow them.
LAST = frozenset(name for place, name in enumerate(CHAIN) if OPTIONAL.issuperset([*CHAIN][place + 1 :]))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step, declared as `STEP` in `components/<name>/__init__.py`.

    Attributes:
        name: The step's name, also its folder and command.
        title: Title in the dashboard of Kubeflow Pipelines, which shows at most 18 characters.
        summary: One line for `coachworks --help`.
        config: Frozen dataclass of the step's settings.
        per_lane: Whether it works on a lane of skills (`skills=`) rather than on the whole fleet.
        joins_lanes: Whether it takes the results of all lanes (a list of keys) rather than one.
    """

    name: str
    title: str
    summary: str
    config: type[Any]
    per_lane: bool = False
    joins_lanes: bool = False

    @property
    def upstream(self) -> str | None:
        """Name of the step it continues from."""
        return CHAIN[self.name]

    def function(self) -> Callable[..., Any]:
        """Import and return the library function `components.<name>.step.<name>`."""
        function: Callable[..., Any] = getattr(importlib.import_module(f"components.{self.name}.step"), self.name)
        return function


def find_step(name: str) -> Step:
    """Return the step called `name`."""
    step: Step = importlib.import_module(f"components.{name}").STEP
    return step


def discover(package: ModuleType) -> Iterator[Step]:
    """Find the steps declared in the folders of `package`, in pipeline order."""
    folders = {module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg}
    for name in CHAIN:
        if name in folders:
            yield importlib.import_module(f"{package.__name__}.{name}").STEP
