"""Import of Albumentations without its heavy optional dependencies."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coachworks.settings import apply_quiet_settings


def albumentations() -> Any:
    """Import `albumentations` without its version check over the network, torch and the client of the hub.

    Albumentations imports them if they are installed, for a tensor transform and for sharing policies, which are not
    used here; that takes almost three seconds and 150 MB in every worker.
    """
    apply_quiet_settings()
    if "albumentations" in sys.modules:
        return sys.modules["albumentations"]
    with _absent("torch"), _absent("huggingface_hub"):
        return importlib.import_module("albumentations")


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Make `import module` fail inside the block, as if it were not installed, unless it has been imported already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # documented: None makes the import fail
    try:
        yield
    finally:
        del sys.modules[module]
