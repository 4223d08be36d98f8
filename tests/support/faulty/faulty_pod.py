"""Faults in pods of the serving image, chosen by the variable FAULT; the product does not know of them.

`error`, `wrong` and `slow` are of every answer; with `late-` before them, of every answer since the first request on a
skill's own port: that is a client's, while a smoke test asks on the port for all skills. `never-ready` and `crash` are
of the pod.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

FAULT = os.environ.get("FAULT", "")
ENGINE = "serving.engine"
FOR_ALL = 3000
SLOW_S = 1.5


class _Loader(importlib.abc.Loader):
    """A loader that spoils the module which `real` has loaded."""

    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        spoil(module.Engine, FAULT)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != ENGINE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def spoil(engine: Any, fault: str) -> None:
    """Make the class `serving.engine.Engine` misbehave."""
    kind, late = fault.removeprefix("late-"), fault.startswith("late-")
    if kind == "crash":
        sys.exit("faulty: this pod ends as it starts")
    if kind == "never-ready":

        def never_ready(self: Any) -> None:
            from serving.errors import Code, RefusalError

            raise RefusalError(Code.NOT_READY, "faulty: this pod never gets ready")

        engine.check_ready = never_ready
        return
    answer, begun = engine.answer, not late

    async def faulty(self: Any, request: Any, skills: Any, **options: Any) -> Any:
        nonlocal begun
        import asyncio

        begun = begun or request.scope["server"][1] != FOR_ALL
        if not begun:
            return await answer(self, request, skills, **options)
        if kind == "error":
            raise RuntimeError("faulty: this pod answers nothing")
        if kind == "slow":
            await asyncio.sleep(SLOW_S)
        answers = await answer(self, request, skills, **options)
        if kind == "wrong":
            answers = {
                skill: each.model_copy(update={"label": each.runner_up.label}) for skill, each in answers.items()
            }
        return answers

    engine.answer = faulty


if FAULT:
    sys.meta_path.insert(0, _Finder())
