"""Embed: one pass of the frozen backbone over every photo and its views, for all skills."""

from coachworks.steps import Step
from components.embed.config import EmbedConfig

STEP = Step(
    name="embed",
    title="Compute features",
    summary="Compute the backbone's features of photos and views.",
    config=EmbedConfig,
)

__all__ = ["STEP", "EmbedConfig"]
