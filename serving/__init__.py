"""Serving: the service that answers with the packaged models, over HTTP or in the process."""
