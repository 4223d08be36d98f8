"""Checks that the doctor's pod makes: everything that a step needs."""

import logging
import sys

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.settings import apply_quiet_settings, take_mounted_environment
from pipelines.doctor.bucket import SAME, ScratchPrefix, check_same, check_store
from pipelines.doctor.findings import LOCAL, POD, Checks
from pipelines.doctor.pod_report import MARK, write_report
from pipelines.doctor.tracking_server import check_tracking

logger = logging.getLogger(__name__)
REPORT = "report.json"  # the object under the scratch prefix


def check_from_pod(fleet: str, name: str, *, pod_only: bool) -> None:
    """Check the store and the tracking server from within a pod; report by the pod's log and, if possible, the store.

    Args:
        fleet: The fleet, as JSON.
        name: Name of the scratch prefix in the store.
        pod_only: Whether the local checks could not write to the store.
    """
    take_mounted_environment()
    apply_quiet_settings()
    located = Fleet.from_json(fleet)
    scratch = ScratchPrefix.of(located.spec.store, name)
    checks = Checks()
    checks.add(*check_store(scratch, POD))
    if not pod_only and not checks.failed:
        with checks.checking(SAME):
            checks.add(check_same(scratch, LOCAL))
    shared = not pod_only and not checks.failed
    checks.add(*check_tracking(located, write=True))
    report = write_report(checks.findings)
    sys.stdout.write(f"\n{MARK}{report.decode()}\n")
    sys.stdout.flush()
    try:
        if shared:
            scratch.put(REPORT, report)
        else:
            scratch.clear()  # the local side sees another store, or none, and cannot do it
    except CoachworksError as err:
        logger.warning("the scratch prefix %s of the store could not be written or cleared: %s", scratch.prefix, err)
