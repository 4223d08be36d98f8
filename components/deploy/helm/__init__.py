"""Helm: the client, its binary, its failures, and the manifests it renders."""
