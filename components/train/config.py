"""Settings of train."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError

CLASS_WEIGHTS = ("balanced", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of train.

    Attributes:
        class_weights: Weights against imbalance: `balanced` (equal for labels) or `none` (equal for photos).
        components: Maximum number of principal components that the candidates see, at least 2.
        seed: Seed of all random draws: landmarks, the starting weights of `mlp`, the bootstrap.
    """

    class_weights: str = "balanced"
    components: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.class_weights not in CLASS_WEIGHTS:
            raise InvalidConfigError(
                f"class_weights must be one of {', '.join(CLASS_WEIGHTS)}; got {self.class_weights!r}"
            )
        for name, least in (("components", 2), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
