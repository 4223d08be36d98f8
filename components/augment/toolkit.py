"""Albumentations, imported without what it drags along."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coachworks.settings import apply_quiet_settings


def albumentations() -> Any:
    """The module `albumentations`, without its version check over the network, torch and the hub's client.

    Albumentations imports them, if it can, for a tensor transform and for sharing policies, which nobody here uses;
    that is most of three seconds and 150 MB in every worker.
    """
    apply_quiet_settings()
    if "albumentations" in sys.modules:
        return sys.modules["albumentations"]
    with _absent("torch"), _absent("huggingface_hub"):
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
