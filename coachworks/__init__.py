"""The parts that all others share: fleet file, store, results, model formats, tracking, errors; and the command."""

__version__ = "0.1.0"
