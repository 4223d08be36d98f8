"""Settings of package."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """What package can be told.

    Attributes:
        build_bento: Build the bento; without it there is only the bundle, which answers `coachworks predict`.
    """

    build_bento: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.build_bento, bool):
            raise InvalidConfigError(f"build_bento must be true or false; got {self.build_bento!r}")
