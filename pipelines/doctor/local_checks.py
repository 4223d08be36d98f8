"""Checks from this machine: the fleet file, Kubeflow Pipelines and its namespace."""

from coachworks.errors import InvalidConfigError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import find_connection
from pipelines.doctor.findings import Checks, Finding, from_error, ok, skipped
from pipelines.doctor.namespace import NAMESPACE, NamespaceChecks
from pipelines.kubeflow import Kubeflow, RunPods, open_kubeflow
from pipelines.submit import refuse_unfit

FILE, KUBEFLOW, RUNS = "fleet file", "Kubeflow Pipelines", "Kubeflow Pipelines: runs"


def check_file(fleet: Fleet) -> Finding:
    """Check that pods can work on the fleet."""
    try:
        refuse_unfit(fleet, recurring=False)
    except InvalidConfigError as err:
        return from_error(FILE, err)
    return ok(FILE, f"fleet {fleet.name}")


def check_kubeflow(cluster: Cluster) -> tuple[Kubeflow | None, list[Finding]]:
    """Check that Kubeflow Pipelines answers and that we may list runs.

    Returns:
        Kubeflow Pipelines, None if a check failed; and the findings.
    """
    checks = Checks()
    kubeflow = None
    with checks.checking(KUBEFLOW, dependents=(RUNS,)):
        kubeflow = open_kubeflow(cluster)
        version = kubeflow.version()
        checks.add(ok(KUBEFLOW, f"{kubeflow.host}{f', {version}' if version else ''}"))
        with checks.checking(RUNS):
            kubeflow.check_access()
            checks.add(ok(RUNS, "can be listed"))
    return (None if checks.failed else kubeflow), checks.findings


def check_namespace(cluster: Cluster, kubeflow: Kubeflow | None) -> tuple[RunPods | None, list[Finding]]:
    """Check the pipelines' namespace with the rights of the kubeconfig.

    Returns:
        The pods of runs in it, None if they cannot be read; and the findings.
    """
    name = cluster.namespace or (kubeflow.namespace if kubeflow else None) or "kubeflow"
    checks = Checks()
    with checks.checking(NAMESPACE):
        connection = find_connection()
        if connection is None:
            return None, [skipped(NAMESPACE, "no kubeconfig")]
        checks.add(*NamespaceChecks(connection, name).run(cluster))
        return RunPods(connection, name), checks.findings
    return None, checks.findings
