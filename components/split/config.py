"""Settings of split."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """Split has no settings; the shares are in the fleet file."""
