"""What the doctor's pod does: look at all that a step needs, and get word of it back."""

import logging
import sys

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.settings import apply_quiet_settings, take_mounted_environment
from pipelines.doctor.bucket import SAME, ScratchPrefix, check_same, check_store
from pipelines.doctor.findings import Checks
from pipelines.doctor.pod_report import MARK, write_report
from pipelines.doctor.tracking_server import check_tracking

logger = logging.getLogger(__name__)
HERE, POD = "here", "pod"
REPORT = "report.json"


def visit(fleet: str, name: str, *, alone: bool) -> None:
    """Look at everything from within a pod; print what was found, and leave it in the store where both sides see it.

    Args:
        fleet: The fleet, as JSON.
        name: Name of this visit: a folder of the store under `doctor/`.
        alone: Whether the other side could leave nothing in the store.
    """
    take_mounted_environment()
    apply_quiet_settings()
    located = Fleet.from_json(fleet)
    corner = ScratchPrefix.of(located.spec.store, name)
    checks = Checks()
    checks.add(*check_store(corner, POD))
    if not alone and not checks.broken:
        with checks.about(SAME):
            checks.add(check_same(corner, HERE))
    shared = not alone and not checks.broken
    checks.add(*check_tracking(located, write=True))
    report = write_report(checks.findings)
    sys.stdout.write(f"\n{MARK}{report.decode()}\n")
    sys.stdout.flush()
    try:
        if shared:
            corner.put(REPORT, report)
        else:
            corner.clear()  # nobody else will
    except CoachworksError as err:
        logger.warning("the doctor's corner of the store is not as it should be: %s", err)
