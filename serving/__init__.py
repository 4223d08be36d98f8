"""Serving: the inference service for the packaged models, over HTTP or in the process."""
