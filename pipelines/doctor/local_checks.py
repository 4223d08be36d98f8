"""Checks from this machine: the fleet file, Kubeflow Pipelines and its namespace."""

from coachworks.errors import InvalidConfigError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import find_connection
from pipelines.doctor.findings import Checks, Finding, from_error, ok, skipped, warning
from pipelines.doctor.namespace import NAMESPACE, NamespaceChecks
from pipelines.kubeflow import Kubeflow, RunPods, open_kubeflow
from pipelines.kubeflow.dashboard import serves_pages
from pipelines.submit import refuse_unfit

FILE, KUBEFLOW, RUNS = "fleet file", "Kubeflow Pipelines", "Kubeflow Pipelines: runs"
PAGES = "Kubeflow Pipelines: dashboard"


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
    with checks.checking(KUBEFLOW, dependents=(RUNS, PAGES)):
        kubeflow = open_kubeflow(cluster)
        version = kubeflow.version()
        checks.add(ok(KUBEFLOW, f"{kubeflow.host}{f', {version}' if version else ''}"))
        with checks.checking(RUNS):
            kubeflow.check_access()
            checks.add(ok(RUNS, "can be listed"))
        with checks.checking(PAGES):
            checks.add(_check_pages(kubeflow))
    return (None if checks.failed else kubeflow), checks.findings


def _check_pages(kubeflow: Kubeflow) -> Finding:
    """Check that the dashboard opens; a fleet runs without it."""
    address = kubeflow.dashboard
    if address and serves_pages(address):
        return ok(PAGES, address)
    way_out = (
        f"`{kubeflow.dashboard_command}` makes it available at http://localhost:8080; name an address that all can "
        "open as `spec.cluster.dashboard`, or set KF_PIPELINES_UI_ENDPOINT for yourself."
    )
    if address:
        return warning(PAGES, "does not open", f"{address} answers with no page. {way_out}")
    return warning(PAGES, "no address", f"the API at {kubeflow.host} serves no pages. {way_out}")


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
