"""What every part shares: the fleet file, the store, results, photos, progress, errors, and the command."""

__version__ = "0.1.0"
