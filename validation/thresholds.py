"""The thresholds that checks are made with; whoever configures a run provides them."""

from typing import Protocol


class Thresholds(Protocol):
    """Where a photo is poor, a pair alike, and a few too many. Units and defaults are with the settings of the step."""

    @property
    def min_sharpness(self) -> float:
        """Least variance of the Laplacian in relation to that of the grey values."""

    @property
    def min_brightness(self) -> float:
        """Least mean grey."""

    @property
    def max_brightness(self) -> float:
        """Largest mean grey."""

    @property
    def min_contrast(self) -> float:
        """Least standard deviation of grey."""

    @property
    def min_side_px(self) -> int:
        """Least shorter side."""

    @property
    def max_poor_share(self) -> float:
        """Share of poor photos that is still a matter of course."""

    @property
    def max_unknown_share(self) -> float:
        """Share of labels outside the vocabulary that only warns."""

    @property
    def max_leaking_share(self) -> float:
        """Share of held-out photos seen in training that only warns."""
