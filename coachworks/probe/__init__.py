"""What can be reached, and what may be done there: the same checks on this machine and in a pod."""

from coachworks.probe.bucket import Corner, check_store
from coachworks.probe.findings import Finding, Verdict
from coachworks.probe.tracking_server import check_tracking
from coachworks.probe.visit import HERE, visit

__all__ = ["HERE", "Corner", "Finding", "Verdict", "check_store", "check_tracking", "visit"]
