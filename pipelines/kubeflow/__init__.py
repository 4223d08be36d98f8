"""Kubeflow Pipelines: its client, what it says in our words, and its errors."""

from pipelines.kubeflow.client import Kubeflow, open_kubeflow
from pipelines.kubeflow.records import RemoteRun, RemoteTask, Schedule

__all__ = ["Kubeflow", "RemoteRun", "RemoteTask", "Schedule", "open_kubeflow"]
