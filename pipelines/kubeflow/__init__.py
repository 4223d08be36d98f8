"""Kubeflow Pipelines: its client, what it says in our words, and its errors."""

from pipelines.kubeflow.client import Kubeflow, open_kubeflow
from pipelines.kubeflow.records import RemoteRun, RemoteTask, Schedule
from pipelines.kubeflow.run_pods import RunPods, open_run_pods

__all__ = ["Kubeflow", "RemoteRun", "RemoteTask", "RunPods", "Schedule", "open_kubeflow", "open_run_pods"]
