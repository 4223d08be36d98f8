"""All rules of a fleet."""

from coachworks.fleet.model import Checks, Fleet
from validation.evidence import Evidence
from validation.photo_rules import catalogue_rules, look_alike_rules, quality_rules
from validation.rule import Rule
from validation.skill_rules import skill_rules


def rules(fleet: Fleet, checks: Checks, evidence: Evidence) -> list[Rule]:
    """Return all rules for a fleet's tables; their number does not grow with the skills."""
    return [
        *catalogue_rules(),
        *quality_rules(checks),
        *look_alike_rules(evidence),
        *skill_rules(fleet, checks, evidence),
    ]
