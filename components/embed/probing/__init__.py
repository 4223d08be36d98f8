"""Comparison of backbones on a sample of a fleet's own photos, and the choice of one of them."""
