"""Files that are distributed with the code: the charts, and the sources of the container images.

In a checkout they are at its root; a wheel contains them inside this package.
"""

from pathlib import Path

from coachworks.errors import NotFoundError

_HERE = Path(__file__).parent
_IN_WHEEL = _HERE / "shipped_files"  # pyproject.toml puts the files there


def checkout() -> Path | None:
    """Return the root of the checkout that this code runs from; None if it was installed from a wheel."""
    root = _HERE.parent
    return root if not _IN_WHEEL.exists() and (root / "Dockerfile").exists() else None


def bundled_file(name: str) -> Path:
    """Return a file or folder that is distributed with the code, such as `Dockerfile` or `charts/platform`.

    Raises:
        NotFoundError: it is missing in this installation.
    """
    path = (checkout() or _IN_WHEEL) / name
    if not path.exists():
        raise NotFoundError(
            f"{name!r} must come with coachworks; this installation in {str(_HERE)!r} lacks it. "
            "Install coachworks from its wheel or its checkout."
        )
    return path
