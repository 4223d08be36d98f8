"""Validation: rules that the data must meet before training, evaluated by Great Expectations."""

from validation.evidence import Evidence, gather, pairs_across_sets, schema_table
from validation.findings import Finding, Severity, Verdict, judge_skill
from validation.near_duplicates import NearDuplicates, find_near_duplicates
from validation.photo_rules import labels_about_quality, schema_rules
from validation.rule import Rule
from validation.rule_set import rules
from validation.suite import SuiteRun, run_suite

__all__ = [
    "Evidence",
    "Finding",
    "NearDuplicates",
    "Rule",
    "Severity",
    "SuiteRun",
    "Verdict",
    "find_near_duplicates",
    "gather",
    "judge_skill",
    "labels_about_quality",
    "pairs_across_sets",
    "rules",
    "run_suite",
    "schema_rules",
    "schema_table",
]
