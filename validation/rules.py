"""The rules of a fleet: what must hold of its tables, how bad it is if not, and what to say then.

A rule is plain data; `validation.suite` turns it into a Great Expectations expectation and its result into a finding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.photos import FORMATS
from coachworks.tables import SPLITS
from validation.evidence import Evidence
from validation.findings import Finding, Severity
from validation.quality import Measure, measures
from validation.thresholds import Thresholds
from validation.wording import counted, listed, suggestion

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What Great Expectations found to be otherwise than expected.

    Attributes:
        rows: The unexpected rows; none where the expectation is about the table.
        share: Share of the judged rows that are unexpected, in [0, 1].
        observed: The observed value, where the expectation is about the table.
    """

    rows: Sequence[Row]
    share: float
    observed: Any = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that must hold of a table.

    Attributes:
        check: Name of the check; findings carry it.
        title: The rule in words.
        table: Name of the table.
        expectation: Class name of the expectation.
        arguments: Its arguments.
        severity: How bad it is when it does not hold.
        says: Message of the finding.
        way_out: What to do.
        skill: The skill it concerns, or None.
        where: Only rows with these values are judged.
        tolerated: Share of unexpected rows up to which `mild` holds instead of `severity`.
        mild: See `tolerated`.
        details: Lines of the finding.
        pairs: Pairs of photos, of which the finding shows those it concerns.
    """

    check: str
    title: str
    table: str
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity
    says: Callable[[Outcome], str]
    way_out: str
    skill: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    tolerated: float = 0.0
    mild: Severity = Severity.WARNING
    details: Callable[[Outcome], Sequence[str]] = lambda outcome: ()
    pairs: tuple[tuple[str, str], ...] = ()


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


def rules(fleet: Fleet, thresholds: Thresholds, evidence: Evidence) -> list[Rule]:
    """All rules that a fleet's tables must keep."""
    found = [*_catalogue_rules(), *_quality_rules(thresholds), *_look_alike_rules(evidence)]
    for skill in fleet.spec.skills:
        found.extend(_skill_rules(fleet, skill, thresholds, evidence))
    return found


def labels_about_quality(thresholds: Thresholds, evidence: Evidence) -> list[Finding]:
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
        for measure in measures(thresholds)
        for meant in evidence.meant[measure.check]
    ]


def _photos(outcome: Outcome) -> str:
    return counted(len(outcome.rows), "photo")


def _says_without(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: f"{_photos(outcome)} without {column}."


def _says_shared(column: str) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{_photos(outcome)} share their {column}: {listed(sorted({repr(row[column]) for row in outcome.rows}), 3)}."
    )


def _says_poor(measure: Measure) -> Callable[[Outcome], str]:
    return lambda outcome: (
        f"{_photos(outcome)} {'is' if len(outcome.rows) == 1 else 'are'} {measure.poor} ({outcome.share:.1%}); "
        f"a photo must have {measure.rule}."
    )


def _catalogue_rules() -> Iterator[Rule]:
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
        says=lambda outcome: f"{_photos(outcome)} whose id is no SHA-256.",
        way_out=again,
    )
    yield Rule(
        check="format",
        title=f"The format is one of {', '.join(FORMATS)}",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "format", "value_set": list(FORMATS)},
        severity=Severity.FAILURE,
        says=lambda outcome: f"{_photos(outcome)} of another format.",
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
            f"{_photos(outcome)} in other splits: {listed(sorted({repr(row['split']) for row in outcome.rows}))}."
        ),
        way_out="Write train, validation or test in the column `split` of the table, or leave it out.",
    )
    yield Rule(
        check="sets-within-splits",
        title="A set never crosses a split",
        table="catalogue",
        expectation="ExpectColumnAToDetermineColumnB",
        arguments={"column_A": "set_id", "column_B": "split"},
        severity=Severity.FAILURE,
        says=lambda outcome: (
            f"{counted(len({row['set_id'] for row in outcome.rows}), 'set')} with photos in more than one split "
            f"({_photos(outcome)}): the test split would be known from training."
        ),
        way_out="Give all photos of a set the same `split` in the table, or leave the column out.",
    )
    yield Rule(
        check="permission",
        title="Every photo has a licence or a written permission",
        table="catalogue",
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": "permission"},
        severity=Severity.WARNING,
        says=lambda outcome: f"{_photos(outcome)} without a permission ({outcome.share:.0%}).",
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
        says=lambda outcome: f"{_photos(outcome)} taken in the future: the camera's clock was wrong.",
        way_out="Correct `taken_at` in the table, or leave it empty.",
    )
    yield Rule(
        check="perceptual-hash",
        title="Every photo has a perceptual hash",
        table="catalogue",
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": "perceptual_hash"},
        severity=Severity.INFO,
        says=lambda outcome: f"{_photos(outcome)} without a perceptual hash: not compared with the others.",
        way_out="Run `coachworks ingest` again.",
    )


def _quality_rules(thresholds: Thresholds) -> Iterator[Rule]:
    for measure in measures(thresholds):
        yield Rule(
            check=measure.check,
            title=f"A photo has {measure.rule}, unless its label asks for less",
            table="catalogue",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"column": measure.column, "min_value": measure.least, "max_value": measure.most},
            where={f"{measure.column}_meant": False},
            severity=Severity.WARNING,
            tolerated=thresholds.max_poor_share,
            mild=Severity.INFO,
            says=_says_poor(measure),
            way_out=measure.way_out,
        )


def _look_alike_rules(evidence: Evidence) -> Iterator[Rule]:
    yield Rule(
        check="near-duplicates",
        title="No two sets hold the same picture",
        table="catalogue",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "look_alike", "value_set": [False]},
        severity=Severity.INFO,
        says=lambda outcome: (
            f"{counted(len(evidence.pairs), 'pair')} of photos of different sets look alike ({_photos(outcome)}): "
            "fewer different photos than it seems."
        ),
        way_out="If they show the same thing, give them one `set_id` in the table.",
        pairs=evidence.pairs,
    )


def _skill_rules(fleet: Fleet, skill: str, thresholds: Thresholds, evidence: Evidence) -> Iterator[Rule]:
    labels = fleet.skill(skill).labels
    has_labels = bool(evidence.coverage.loc[evidence.coverage["skill"] == skill, "photos"].sum())
    yield Rule(
        check="has-labels",
        title=f"{skill} has labelled photos",
        table="skills",
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": "photos", "min_value": 1},
        skill=skill,
        where={"skill": skill},
        severity=Severity.FAILURE,
        says=lambda outcome: f"No photo carries a label of {skill!r}.",
        way_out=f"Add a column named {skill} to the table of a source, or take the skill out of the fleet file.",
    )
    yield Rule(
        check="vocabulary",
        title=f"Labels of {skill} are those of the fleet file",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "label", "value_set": list(labels)},
        skill=skill,
        where={"skill": skill},
        severity=Severity.FAILURE,
        tolerated=thresholds.max_unknown_share,
        says=lambda outcome: _says_unknown(outcome, labels),
        details=lambda outcome: _unknown_labels(outcome, labels),
        way_out="Correct the label in the table, or add it to `labels` in the fleet file. Photos with unknown labels "
        "take no part.",
    )
    yield Rule(
        check="contradicting-duplicates",
        title=f"Copies of one photo have one answer to {skill}",
        table="answers",
        expectation="ExpectColumnAToDetermineColumnB",
        arguments={"column_A": "photo_id", "column_B": "label"},
        skill=skill,
        where={"skill": skill},
        severity=Severity.WARNING,
        says=lambda outcome: (
            f"{counted(len({row['photo_id'] for row in outcome.rows}), 'photo')} with answers that contradict one "
            f"another: {listed(_contradictions(outcome), 3)}. Without a majority a photo takes no part."
        ),
        details=_contradictions,
        way_out="Look at the photo, keep the right answer in the table and take out the other file.",
    )
    if not has_labels:
        return
    yield from _count_rules(fleet, skill)
    yield Rule(
        check="contradicting-near-duplicates",
        title=f"Photos that look alike have one answer to {skill}",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "look_alike_disagrees", "value_set": [False]},
        skill=skill,
        where={"skill": skill},
        severity=Severity.WARNING,
        says=lambda outcome: f"{_photos(outcome)} with another label than a photo that looks the same.",
        way_out="Look at the pairs below and correct the labels that are wrong.",
        pairs=evidence.pairs,
    )
    yield Rule(
        check="leakage",
        title=f"Held-out photos of {skill} are new",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "seen_before", "value_set": [False]},
        skill=skill,
        where={"skill": skill, "held_out": True},
        severity=Severity.FAILURE,
        tolerated=thresholds.max_leaking_share,
        says=lambda outcome: (
            f"{_photos(outcome)} of the validation and test splits ({outcome.share:.1%}) look like a photo of an "
            f"earlier split: the skill would seem better than it is. Up to {thresholds.max_leaking_share:.0%} warns."
        ),
        way_out="Give photos of the same thing one `set_id` in the table: a set never crosses a split.",
        pairs=evidence.pairs,
    )


def _count_rules(fleet: Fleet, skill: str) -> Iterator[Rule]:
    gate = fleet.gates(skill).min_photos_per_label
    yield Rule(
        check="photos-per-label",
        title=f"Each label of {skill} has enough photos",
        table="coverage",
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": "photos",
            "column_B": "needed",
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
        skill=skill,
        where={"skill": skill},
        severity=Severity.FAILURE if gate else Severity.WARNING,
        says=lambda outcome: _says_missing(outcome, gate),
        details=lambda outcome: [
            f"{row['label']}: {counted(row['photos'], 'photo')}, {row['missing']:,} missing" for row in outcome.rows
        ],
        way_out="Collect the missing photos"
        + (", or lower `minPhotosPerLabel` in the fleet file and say why." if gate else "."),
    )
    yield Rule(
        check="label-in-every-split",
        title=f"Each label of {skill} has photos to train, choose and test with",
        table="coverage",
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": "splits", "min_value": len(SPLITS)},
        skill=skill,
        where={"skill": skill},
        severity=Severity.FAILURE,
        says=lambda outcome: (
            f"{counted(len(outcome.rows), 'label')} cannot be trained or judged: "
            f"{listed([_absence(row) for row in outcome.rows], 3)}."
        ),
        details=lambda outcome: [_absence(row) for row in outcome.rows],
        way_out="Add photos of at least 3 different sets for each such label, or take the label out of the fleet file.",
    )


def _says_missing(outcome: Outcome, gate: int | None) -> str:
    rule = f"the {gate:,} that the fleet file asks for" if gate else "the rule of thumb of 1,000"
    worst = sorted(outcome.rows, key=lambda row: row["photos"])
    total = sum(row["missing"] for row in outcome.rows)
    each = [f"{row['label']} has {row['photos']:,} ({row['missing']:,} missing)" for row in worst]
    return f"{counted(len(each), 'label')} below {rule}: {listed(each, 3)}; {counted(total, 'photo')} missing in all."


def _absence(row: Row) -> str:
    if not row["photos"]:
        return f"{row['label']} has no photo"
    if row["sets"] < len(SPLITS):
        return f"{row['label']} has photos of only {counted(row['sets'], 'set')}"
    return f"{row['label']} has none in {' and '.join(split for split in SPLITS if not row[split])}"


def _unknown_labels(outcome: Outcome, labels: Sequence[str]) -> list[str]:
    counts: dict[str, int] = {}
    for row in outcome.rows:
        counts[str(row["label"])] = counts.get(str(row["label"]), 0) + 1
    lines = []
    for label, count in sorted(counts.items(), key=lambda item: -item[1]):
        meant = suggestion(label, labels)
        lines.append(f"{label!r} on {counted(count, 'photo')}" + (f"; did you mean {meant!r}?" if meant else ""))
    return lines


def _says_unknown(outcome: Outcome, labels: Sequence[str]) -> str:
    lines = _unknown_labels(outcome, labels)
    return (
        f"{counted(len(lines), 'label')} not in the fleet file, on {_photos(outcome)} ({outcome.share:.1%}): "
        f"{listed(lines, 3)}"
    ).rstrip(".?") + ("?" if lines and lines[-1].endswith("?") and len(lines) <= 3 else ".")


def _contradictions(outcome: Outcome) -> list[str]:
    answers: dict[str, list[str]] = {}
    for row in outcome.rows:
        answers.setdefault(row["photo_id"], []).append(f"{row['annotator']} says {row['label']!r}")
    return [", ".join(sorted(said)) for said in answers.values()]
