"""Verification of a store: everything in it is compared with its digest, and what can be made again is removed."""

from coachworks.verify.kinds import KINDS, Kind, find_kind
from coachworks.verify.repair import Restore, repair
from coachworks.verify.walk import Finding, Verification, verify

__all__ = ["KINDS", "Finding", "Kind", "Restore", "Verification", "find_kind", "repair", "verify"]
