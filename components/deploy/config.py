"""Settings of deploy."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployConfig:
    """What deploy can be told; where and how a fleet is served is said in its file, under `spec.deploy`.

    Attributes:
        timeout_s: Longest that pods may take to be ready, in seconds.
    """

    timeout_s: int = 600

    def __post_init__(self) -> None:
        if not isinstance(self.timeout_s, int) or isinstance(self.timeout_s, bool) or self.timeout_s < 1:
            raise InvalidConfigError(f"timeout_s must be an integer of at least 1; got {self.timeout_s!r}")
