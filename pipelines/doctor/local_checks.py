"""What this machine can reach."""

from coachworks.errors import InvalidConfigError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import find_connection
from pipelines.doctor.findings import Checks, Finding, failed, found, skipped
from pipelines.doctor.namespace import NAMESPACE, NamespaceChecks
from pipelines.kubeflow import Kubeflow, RunPods, open_kubeflow
from pipelines.submit import refuse_unfit

FILE, KUBEFLOW, RUNS = "fleet file", "Kubeflow Pipelines", "Kubeflow Pipelines: runs"


def check_file(fleet: Fleet) -> Finding:
    """Whether pods could work on the fleet."""
    try:
        refuse_unfit(fleet, recurring=False)
    except InvalidConfigError as err:
        return failed(FILE, err)
    return found(FILE, f"fleet {fleet.name}")


def check_kubeflow(cluster: Cluster) -> tuple[Kubeflow | None, list[Finding]]:
    """Whether Kubeflow Pipelines answers and lets us look at runs."""
    checks = Checks()
    kubeflow = None
    with checks.about(KUBEFLOW, then=(RUNS,)):
        kubeflow = open_kubeflow(cluster)
        version = kubeflow.version()
        checks.add(found(KUBEFLOW, f"{kubeflow.host}{f', {version}' if version else ''}"))
        with checks.about(RUNS):
            kubeflow.look()
            checks.add(found(RUNS, "may be listed"))
    return (None if checks.broken else kubeflow), checks.findings


def check_namespace(cluster: Cluster, kubeflow: Kubeflow | None) -> tuple[RunPods | None, list[Finding]]:
    """What the kubeconfig shows of the pipelines' namespace."""
    name = cluster.namespace or (kubeflow.namespace if kubeflow else None) or "kubeflow"
    checks = Checks()
    with checks.about(NAMESPACE):
        connection = find_connection()
        if connection is None:
            return None, [skipped(NAMESPACE, "no kubeconfig")]
        checks.add(*NamespaceChecks(connection, name).run(cluster))
        return RunPods(connection, name), checks.findings
    return None, checks.findings
