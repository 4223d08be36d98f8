"""The images that components run in."""

from coachworks import __version__

STEPS = f"coachworks/steps:{__version__}"
