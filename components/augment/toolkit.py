"""Albumentations, imported without what it drags along."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coachworks.settings import apply_quiet_settings


def albumentations() -> Any:
    """The module `albumentations`, without its version check over the network and without torch.

    Albumentations imports torch, if it can, for one tensor transform that a policy never uses; that is two of three
    seconds and 150 MB in every worker.
    """
    apply_quiet_settings()
    if "albumentations" in sys.modules:
        return sys.modules["albumentations"]
    with _absent("torch"):
        return importlib.import_module("albumentations")


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let `import module` fail meanwhile, as if it were not installed, unless it has been imported already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # documented: None makes the import fail
    try:
        yield
    finally:
        del sys.modules[module]
