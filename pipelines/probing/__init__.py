"""Comparison of backbones on a sample of a fleet's own photos."""
