"""Stored models: formats of backbones, heads and bundles, their keys, and what prepares photos for them."""
