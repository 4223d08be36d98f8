"""The doctor's rounds: this machine, then a pod, then the report."""

import contextlib
import uuid
from collections.abc import Callable

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from pipelines.doctor import bucket
from pipelines.doctor.bucket import ScratchPrefix, check_store
from pipelines.doctor.findings import Checks, Finding, Verdict, skipped
from pipelines.doctor.local_checks import check_file, check_kubeflow, check_namespace
from pipelines.doctor.pod import POD, Visit
from pipelines.doctor.report import Report, put_together
from pipelines.doctor.tracking_server import check_tracking
from pipelines.doctor.visit import HERE


def make_rounds(fleet: Fleet, *, pod: bool, timeout_s: float, tell: Callable[[str], None]) -> Report:
    """Look at everything a run on the cluster needs, from this machine and from a pod.

    What is written for it is removed again, also when it is interrupted.

    Args:
        fleet: The fleet, located.
        pod: Whether to start a pod.
        timeout_s: How long to wait for it.
        tell: Is told what is being looked at.
    """
    name = uuid.uuid4().hex[:12]
    checks = Checks()
    tell("looking at the fleet file")
    checks.add(check_file(fleet))
    tell("asking Kubeflow Pipelines")
    kubeflow, findings = check_kubeflow(fleet.spec.cluster)
    checks.add(*findings)
    tell("asking Kubernetes")
    pods, findings = check_namespace(fleet.spec.cluster, kubeflow)
    checks.add(*findings)
    corner = ScratchPrefix.of(fleet.spec.store, name) if fleet.spec.store.startswith("s3://") else None
    try:
        tell("asking the store")
        checks.add(*(check_store(corner, HERE) if corner else [skipped(bucket.ACCESS, "it is no bucket")]))
        tell("asking MLflow")
        checks.add(*check_tracking(fleet, write=False))
        if not pod:
            return put_together(checks.findings, [skipped(POD, "not looked at: --no-pod")])
        if kubeflow is None or corner is None:
            lack = "Kubeflow Pipelines" if kubeflow is None else "a bucket"
            return put_together(checks.findings, [skipped(POD, f"needs {lack}")])
        tell("starting a pod")
        return put_together(
            checks.findings,
            _from_pod(Visit(kubeflow, pods, fleet, name, alone=not _left(checks)), timeout_s, tell),
        )
    finally:
        if corner is not None and _left(checks):
            with contextlib.suppress(CoachworksError):
                corner.clear()


def _from_pod(visit: Visit, timeout_s: float, tell: Callable[[str], None]) -> list[Finding]:
    checks = Checks()
    with checks.about(POD), visit:
        checks.add(*visit.wait(timeout_s, tell))
    return checks.findings


def _left(checks: Checks) -> bool:
    """Whether this machine has written into the store."""
    return any(finding.what == bucket.WRITE and finding.verdict is Verdict.OK for finding in checks.findings)
