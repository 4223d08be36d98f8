"""Shared parts of coachworks (fleet file, store, results, model formats, tracking, errors), and the `coachworks` command."""

__version__ = "0.1.0"
