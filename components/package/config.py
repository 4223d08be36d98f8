"""Settings of package."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """Settings of the step package.

    Attributes:
        build_bento: Build the bento. Without it there is only the bundle, which `coachworks predict` reads.
    """

    build_bento: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.build_bento, bool):
            raise InvalidConfigError(f"build_bento must be true or false; got {self.build_bento!r}")
