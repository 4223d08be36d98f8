"""Kubeflow Pipelines: its client, records of runs and tasks, pods of runs, and errors."""

from pipelines.kubeflow.client import Kubeflow, open_kubeflow
from pipelines.kubeflow.records import RemoteRun, RemoteTask, Schedule
from pipelines.kubeflow.run_pods import RunPods, StuckPod, open_run_pods

__all__ = ["Kubeflow", "RemoteRun", "RemoteTask", "RunPods", "Schedule", "StuckPod", "open_kubeflow", "open_run_pods"]
