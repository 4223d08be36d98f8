"""Settings of train."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError

CLASS_WEIGHTS = ("balanced", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of train.

    Attributes:
        class_weights: How rare labels are made to count: `balanced` (every label alike) or `none` (every photo alike).
        components: Most principal components that the candidates see, at least 2.
        landmarks: Most landmark photos of the SVM's kernel map, at least 2.
        seed: Seed of everything drawn at random: landmarks, the starting weights of `mlp`, the bootstrap.
        max_iterations: Most iterations of the optimiser, at least 1.
    """

    class_weights: str = "balanced"
    components: int = 512
    landmarks: int = 512
    seed: int = 0
    max_iterations: int = 100

    def __post_init__(self) -> None:
        if self.class_weights not in CLASS_WEIGHTS:
            raise InvalidConfigError(
                f"class_weights must be one of {', '.join(CLASS_WEIGHTS)}; got {self.class_weights!r}"
            )
        for name, least in (("components", 2), ("landmarks", 2), ("seed", 0), ("max_iterations", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
