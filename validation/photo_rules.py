"""What must hold of the photos of a fleet, whatever they are labelled."""

from collections.abc import Callable, Iterator

from coachworks.fleet.model import Checks
from coachworks.photos import FORMATS
from coachworks.tables import SPLITS
from validation.evidence import Evidence
from validation.findings import Finding, Severity
from validation.quality import Measure, measures
from validation.rule import Outcome, Rule, photos_in
from validation.wording import counted, listed, percent


def schema_rules() -> list[Rule]:
    """That the tables have their columns, of the right types."""
    return [
        Rule(
            check="schema",
            title="Every table has its columns, each of its type",
            table="schema",
            expectation="ExpectColumnPairValuesToBeEqual",
            arguments={"column_A": "found", "column_B": "expected"},
            severity=Severity.FAILURE,
            says=lambda outcome: f"{counted(len(outcome.rows), 'column')} of the tables missing or of another type.",
            details=lambda outcome: [
                f"{row['table']}.{row['column']} must be {row['expected']}; it is {row['found']}"
                for row in outcome.rows
            ],
            way_out="Run `coachworks ingest` again: another release wrote the tables.",
        )
    ]


def _says_without(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: f"{photos_in(outcome)} without {column}."


def _says_shared(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{photos_in(outcome)} share their {column}: {listed(sorted({repr(row[column]) for row in outcome.rows}), 3)}."
    )


def _says_poor(measure: Measure) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{photos_in(outcome)} {'is' if len(outcome.rows) == 1 else 'are'} {measure.poor} ({percent(outcome.share)}); "
        f"a photo must have {measure.rule}."
    )


def catalogue_rules() -> Iterator[Rule]:
    """That the catalogue is complete, its names unique, its sets whole."""
    again = "Run `coachworks ingest` again; if it stays, report it: ingest must not write such a table."
    yield Rule(
        check="row-count",
        title="There are photos",
        table="catalogue",
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": 1},
        severity=Severity.FAILURE,
        says=lambda outcome: "There is no photo in the catalogue.",
        way_out="Name a folder of photos under `sources`; `rejected.json` of ingest says what was set aside and why.",
    )
    for column in ("photo_id", "uri", "filename", "source", "set_id", "split", "width_px", "height_px"):
        yield Rule(
            check="complete",
            title=f"Every photo has its {column}",
            table="catalogue",
            expectation="ExpectColumnValuesToNotBeNull",
            arguments={"column": column},
            severity=Severity.FAILURE,
            says=_says_without(column),
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
            says=_says_shared(column),
            way_out="Give each file a name of its own: two sources may hold files of one name."
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
        says=lambda outcome: f"{photos_in(outcome)} whose id is no SHA-256.",
        way_out=again,
    )
    yield Rule(
        check="format",
        title=f"The format is one of {', '.join(FORMATS)}",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "format", "value_set": list(FORMATS)},
        severity=Severity.FAILURE,
        says=lambda outcome: f"{photos_in(outcome)} of another format.",
        way_out=again,
    )
    yield Rule(
        check="split-names",
        title="The split is train, validation or test",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "split", "value_set": list(SPLITS)},
        severity=Severity.FAILURE,
        says=lambda outcome: (
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
        says=lambda outcome: f"{photos_in(outcome)} without a permission ({percent(outcome.share)}).",
        way_out="Add the column `permission` to the table, or `permission:` to the source in the fleet file.",
    )
    yield Rule(
        check="taken-at",
        title="No photo was taken after it came in",
        table="catalogue",
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": "latest_taken_at",
            "column_B": "taken_at",
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
        severity=Severity.WARNING,
        says=lambda outcome: f"{photos_in(outcome)} taken in the future: the camera's clock was wrong.",
        way_out="Correct `taken_at` in the table, or leave it empty.",
    )
    yield Rule(
        check="perceptual-hash",
        title="Every photo has a perceptual hash",
        table="catalogue",
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": "perceptual_hash"},
        severity=Severity.INFO,
        says=lambda outcome: f"{photos_in(outcome)} without a perceptual hash: not compared with the others.",
        way_out="Run `coachworks ingest` again.",
    )


def quality_rules(checks: Checks) -> Iterator[Rule]:
    """That photos are sharp, lit, rich in contrast and large enough; a few may not be."""
    for measure in measures(checks):
        yield Rule(
            check=measure.check,
            title=f"A photo has {measure.rule}, unless its label asks for less",
            table="catalogue",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": measure.column, "min_value": measure.least, "max_value": measure.most},
            where={f"{measure.column}_meant": False},
            severity=Severity.WARNING,
            tolerated=checks.max_poor_share,
            mild=Severity.INFO,
            says=_says_poor(measure),
            way_out=measure.way_out,
        )


def look_alike_rules(evidence: Evidence) -> Iterator[Rule]:
    """That different sets hold different pictures."""
    yield Rule(
        check="near-duplicates",
        title="No two sets hold the same picture",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "look_alike", "value_set": [False]},
        severity=Severity.INFO,
        says=lambda outcome: (
            f"{counted(len(evidence.pairs), 'pair')} of photos of different sets look alike ({photos_in(outcome)}): "
            "fewer different photos than it seems."
        ),
        way_out="If they show the same thing, give them one `set_id` in the table.",
        pairs=evidence.pairs,
    )


def labels_about_quality(checks: Checks, evidence: Evidence) -> list[Finding]:
    """A note for each label that seems to ask for poor photos: right for `blurry`, a trap for `car`."""
    return [
        Finding(
            check="label-about-quality",
            severity=Severity.INFO,
            skill=meant.skill,
            message=f"{meant.share:.0%} of the photos labelled {meant.label!r} are {measure.poor}, hardly any others. "
            "Where the label means that, all is well, and they are not held against the photos.",
            way_out="Where it does not, add ordinary photos of this label: the skill would learn the flaw instead.",
            photo_ids=meant.photo_ids,
            count=len(meant.photo_ids),
        )
        for measure in measures(checks)
        for meant in evidence.meant[measure.check]
    ]
