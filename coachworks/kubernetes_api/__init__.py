"""Kubernetes, asked in plain JSON: which cluster, what it refuses, and why a pod does not start."""

from coachworks.kubernetes_api.connection import Connection, connect, path_of, settings_of
from coachworks.kubernetes_api.failures import ConflictError, forbidden
from coachworks.kubernetes_api.pod_problems import Trouble, trouble_in_events, trouble_of

__all__ = [
    "ConflictError",
    "Connection",
    "Trouble",
    "connect",
    "forbidden",
    "path_of",
    "settings_of",
    "trouble_in_events",
    "trouble_of",
]
