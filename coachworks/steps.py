"""What a step of the pipeline is, to the three faces that show it: KFP component, command, Python function."""

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
OPTIONAL = frozenset({"deploy"})  # part of a fleet's pipeline only where its file asks for it


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step, declared as `STEP` in `components/<name>/__init__.py`.

    Attributes:
        name: The step's name, also its folder and command.
        title: What the pipelines' dashboard calls it; of more than 18 characters it shows the first.
        summary: One line for `coachworks --help`.
        config: Frozen dataclass of the step's settings.
        per_lane: Whether it works on a lane of skills (`skills=`); else on the whole fleet.
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
        """The library function `components.<name>.step.<name>`, imported on demand."""
        function: Callable[..., Any] = getattr(importlib.import_module(f"components.{self.name}.step"), self.name)
        return function


def discover(package: ModuleType) -> Iterator[Step]:
    """The steps declared in `package`'s folders, in pipeline order."""
    folders = {module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg}
    for name in CHAIN:
        if name in folders:
            yield importlib.import_module(f"{package.__name__}.{name}").STEP
