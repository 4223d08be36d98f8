"""Settings of train."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError

CLASS_WEIGHTS = ("auto", "balanced", "none", "logit-adjustment", "focal")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of train.

    Attributes:
        class_weights: Policy against imbalance: `balanced` (labels weigh alike), `none` (photos weigh alike),
            `logit-adjustment` or `focal`; `auto` chooses for each skill, by measurement.
        components: Maximum number of principal components that the candidates see, at least 2.
        seed: Seed of all random draws: landmarks, the starting weights of `mlp`, the bootstrap.
    """

    class_weights: str = "auto"
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
