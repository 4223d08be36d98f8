"""What travels with the code beside its modules: the charts, and what the images are built from.

In a checkout these lie at its root; a wheel carries them inside this package.
"""

from pathlib import Path

from coachworks.errors import NotFoundError

_HERE = Path(__file__).parent
_CARRIED = _HERE / "shipped_files"  # pyproject.toml puts them there


def checkout() -> Path | None:
    """Root of the checkout that this code runs from; None where it was installed from a wheel."""
    root = _HERE.parent
    return root if not _CARRIED.exists() and (root / "Dockerfile").exists() else None


def shipped(name: str) -> Path:
    """A file or folder that travels with the code, such as `Dockerfile` or `charts/platform`.

    Raises:
        NotFoundError: this installation does not have it.
    """
    path = (checkout() or _CARRIED) / name
    if not path.exists():
        raise NotFoundError(
            f"{name!r} must come with coachworks; this installation in {str(_HERE)!r} lacks it. "
            "Install coachworks from its wheel or its checkout."
        )
    return path
