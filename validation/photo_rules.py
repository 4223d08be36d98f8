"""Rules about the photos of a fleet, independent of their labels."""

from collections.abc import Callable, Iterator

from coachworks.fleet.model import Checks
from coachworks.photos import FORMATS
from coachworks.tables import SPLITS
from coachworks.wording import counted, listed, noun_for, percent
from validation.evidence import Evidence
from validation.findings import Finding, Severity
from validation.quality import Measure, measures
from validation.rule import Outcome, Rule, photos_in


def schema_rules() -> list[Rule]:
    """Return the rule that every table has its columns, each with its type."""
    return [
        Rule(
            check="schema",
            title="Every table has its columns, each of its type",
            table="schema",
            expectation="ExpectColumnPairValuesToBeEqual",
            arguments={"column_A": "actual", "column_B": "expected"},
            severity=Severity.FAILURE,
            message=lambda outcome: f"{counted(len(outcome.rows), 'column')} of the tables missing or of another type.",
            details=lambda outcome: [
                f"{row['table']}.{row['column']} must be {row['expected']}; it is {row['actual']}"
                for row in outcome.rows
            ],
            way_out="Run `coachworks ingest` again: another version of coachworks wrote the tables.",
        )
    ]


def _without(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: f"{photos_in(outcome)} without {column}."


def _shared(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{photos_in(outcome)} share their {column}: {listed(sorted({repr(row[column]) for row in outcome.rows}), 3)}."
    )


def _poor(measure: Measure) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{photos_in(outcome)} {noun_for(len(outcome.rows), 'is', 'are')} {measure.poor} ({percent(outcome.share)}); "
        f"a photo must have {measure.rule}."
    )


def catalogue_rules() -> Iterator[Rule]:
    """Yield the rules that the catalogue is complete and its values valid and unique."""
    again = "Run `coachworks ingest` again; if it fails again, report it: ingest must not write such a table."
    yield Rule(
        check="row-count",
        title="There are photos",
        table="catalogue",
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": 1},
        severity=Severity.FAILURE,
        message=lambda outcome: "There is no photo in the catalogue.",
        way_out="Name a folder of photos under `sources`; `rejected.json` of ingest lists rejected files with reasons.",
    )
    for column in ("photo_id", "uri", "filename", "source", "set_id", "split", "width_px", "height_px"):
        yield Rule(
            check="complete",
            title=f"Every photo has its {column}",
            table="catalogue",
            expectation="ExpectColumnValuesToNotBeNull",
            arguments={"column": column},
            severity=Severity.FAILURE,
            message=_without(column),
            way_out=again,
        )
    for column in ("photo_id", "filename"):
        yield Rule(
            check=f"unique-{column.replace('_', '-')}",
            title=f"No two photos share a {column}",
            table="catalogue",
            expectation="ExpectColumnValuesToBeUnique",
            arguments={"column": column},
            severity=Severity.FAILURE,
            message=_shared(column),
            way_out="Rename the files: file names must be unique across all sources."
            if column == "filename"
            else again,
        )
    yield Rule(
        check="photo-id",
        title="A photo id is a SHA-256",
        table="catalogue",
        expectation="ExpectColumnValuesToMatchRegex",
        arguments={"column": "photo_id", "regex": "^[0-9a-f]{64}$"},
        severity=Severity.FAILURE,
        message=lambda outcome: f"{photos_in(outcome)} whose id is not a SHA-256.",
        way_out=again,
    )
    yield Rule(
        check="format",
        title=f"The format is one of {', '.join(FORMATS)}",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "format", "value_set": list(FORMATS)},
        severity=Severity.FAILURE,
        message=lambda outcome: f"{photos_in(outcome)} of another format.",
        way_out=again,
    )
    yield Rule(
        check="split-names",
        title="The split is train, validation or test",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "split", "value_set": list(SPLITS)},
        severity=Severity.FAILURE,
        message=lambda outcome: (
            f"{photos_in(outcome)} in other splits: {listed(sorted({repr(row['split']) for row in outcome.rows}))}."
        ),
        way_out="Write train, validation or test in the column `split` of the table, or leave it out.",
    )
    yield Rule(
        check="permission",
        title="Every photo has a licence or a written permission",
        table="catalogue",
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": "permission"},
        severity=Severity.WARNING,
        message=lambda outcome: f"{photos_in(outcome)} without a permission ({percent(outcome.share)}).",
        way_out="Add the column `permission` to the table, or `permission:` to the source in the fleet file.",
    )
    yield Rule(
        check="taken-at",
        title="No photo was taken after its ingest",
        table="catalogue",
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": "latest_taken_at",
            "column_B": "taken_at",
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
        severity=Severity.WARNING,
        message=lambda outcome: f"{photos_in(outcome)} taken after the ingest: the camera's clock was wrong.",
        way_out="Correct `taken_at` in the table, or leave it empty.",
    )
    yield Rule(
        check="perceptual-hash",
        title="Every photo has a perceptual hash",
        table="catalogue",
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": "perceptual_hash"},
        severity=Severity.INFO,
        message=lambda outcome: f"{photos_in(outcome)} without a perceptual hash: not compared with the others.",
        way_out="Run `coachworks ingest` again.",
    )


def quality_rules(checks: Checks) -> Iterator[Rule]:
    """Yield the rules that photos are sharp, well exposed and large enough; `maxPoorShare` of them may be poor."""
    for measure in measures(checks):
        yield Rule(
            check=measure.check,
            title=f"A photo has {measure.rule}, unless its label is about that",
            table="catalogue",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": measure.column, "min_value": measure.minimum, "max_value": measure.maximum},
            where={measure.intended_column: False},
            severity=Severity.WARNING,
            tolerated_share=checks.max_poor_share,
            tolerated_severity=Severity.INFO,
            message=_poor(measure),
            way_out=measure.way_out,
        )


def look_alike_rules(evidence: Evidence) -> Iterator[Rule]:
    """Yield the rule that different sets hold different pictures."""
    yield Rule(
        check="near-duplicates",
        title="No two sets hold the same picture",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "look_alike", "value_set": [False]},
        severity=Severity.INFO,
        message=lambda outcome: (
            f"{counted(len(evidence.pairs), 'pair')} of photos of different sets look alike ({photos_in(outcome)}): "
            "there are fewer different photos than it seems."
        ),
        way_out="If they show the same thing, give them one `set_id` in the table.",
        pairs=evidence.pairs,
    )


def labels_about_quality(checks: Checks, evidence: Evidence) -> list[Finding]:
    """Return a note for each label whose photos are poor: intended for `blurry`, a problem for `car`."""
    return [
        Finding(
            check="label-about-quality",
            severity=Severity.INFO,
            skill=label.skill,
            message=f"{label.share:.0%} of the photos labelled {label.label!r} are {measure.poor}, and hardly any "
            "others. If the label describes that, nothing is wrong: the check does not count these photos.",
            way_out="If it does not, add ordinary photos of this label: else the skill learns the flaw, not the label.",
            photo_ids=label.photo_ids,
            count=len(label.photo_ids),
        )
        for measure in measures(checks)
        for label in evidence.quality_labels[measure.check]
    ]
