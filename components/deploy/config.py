"""Settings of deploy."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployConfig:
    """Settings of the deploy step; where and how the fleet is served is configured in `spec.deploy`.

    Attributes:
        timeout_s: Longest wait for pods to be ready, in seconds.
    """

    timeout_s: int = 600

    def __post_init__(self) -> None:
        if not isinstance(self.timeout_s, int) or isinstance(self.timeout_s, bool) or self.timeout_s < 1:
            raise InvalidConfigError(f"timeout_s must be an integer of at least 1; got {self.timeout_s!r}")
