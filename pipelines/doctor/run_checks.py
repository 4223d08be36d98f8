"""The doctor's checks in order: from this machine, then from a pod."""

import contextlib
import uuid
from collections.abc import Callable

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from pipelines.doctor import bucket
from pipelines.doctor.bucket import ScratchPrefix, check_store
from pipelines.doctor.findings import LOCAL, Checks, Finding, Status, skipped
from pipelines.doctor.local_checks import check_file, check_kubeflow, check_namespace
from pipelines.doctor.pod import START, DoctorPod
from pipelines.doctor.report import Report, combine
from pipelines.doctor.tracking_server import check_tracking


def run_checks(fleet: Fleet, *, pod: bool, timeout_s: float, show: Callable[[str], None]) -> Report:
    """Check everything that a run on the cluster needs, from this machine and from a pod.

    Objects and runs that the checks create are removed again, also after an interrupt.

    Args:
        fleet: The fleet, located.
        pod: Whether to start a pod.
        timeout_s: Longest wait for the pod in seconds.
        show: Called with a description of each check as it begins.
    """
    name = uuid.uuid4().hex[:12]
    checks = Checks()
    show("checking the fleet file")
    checks.add(check_file(fleet))
    show("checking Kubeflow Pipelines")
    kubeflow, findings = check_kubeflow(fleet.spec.cluster)
    checks.add(*findings)
    show("checking the namespace")
    pods, findings = check_namespace(fleet.spec.cluster, kubeflow)
    checks.add(*findings)
    scratch = ScratchPrefix.of(fleet.spec.store, name) if fleet.spec.store.startswith("s3://") else None
    try:
        show("checking the store")
        checks.add(*(check_store(scratch, LOCAL) if scratch else [skipped(bucket.ACCESS, "not a bucket")]))
        show("checking MLflow")
        checks.add(*check_tracking(fleet, write=False))
        if not pod:
            return combine(checks.findings, [skipped(START, "not checked: --no-pod")])
        if kubeflow is None or scratch is None:
            missing = "Kubeflow Pipelines" if kubeflow is None else "a bucket"
            return combine(checks.findings, [skipped(START, f"needs {missing}")])
        show("starting a pod")
        doctor_pod = DoctorPod(kubeflow, pods, fleet, name, pod_only=not _has_written(checks))
        return combine(checks.findings, _findings_of(doctor_pod, timeout_s, show))
    finally:
        if scratch is not None and _has_written(checks):
            with contextlib.suppress(CoachworksError):
                scratch.clear()


def _findings_of(pod: DoctorPod, timeout_s: float, show: Callable[[str], None]) -> list[Finding]:
    checks = Checks()
    with checks.checking(START), pod:
        checks.add(*pod.wait(timeout_s, show))
    return checks.findings


def _has_written(checks: Checks) -> bool:
    """Return whether this machine has written to the store."""
    return any(finding.subject == bucket.WRITE and finding.status is Status.OK for finding in checks.findings)
