"""Kubernetes API in plain JSON: connecting, requests, errors with a way out, and why a pod does not start."""

from coachworks.kubernetes_api.connection import Connection, connect, find_connection, path_of
from coachworks.kubernetes_api.failures import ConflictError, ForbiddenError, forbidden
from coachworks.kubernetes_api.own_pod import label_own_pod
from coachworks.kubernetes_api.pod_problems import PodProblem, find_pod_problem, read_pod_events

__all__ = [
    "ConflictError",
    "Connection",
    "ForbiddenError",
    "PodProblem",
    "connect",
    "find_connection",
    "find_pod_problem",
    "forbidden",
    "label_own_pod",
    "path_of",
    "read_pod_events",
]
