"""Rules about the labels of skills."""

from collections import Counter
from collections.abc import Iterator, Sequence

from coachworks.fleet.answers import Columns, unknown_labels, ways_out
from coachworks.fleet.model import Checks, Fleet
from coachworks.wording import counted, listed, percent
from validation.evidence import Evidence, vocabulary
from validation.findings import Severity
from validation.rule import Outcome, Row, Rule, photos_in


def skill_rules(fleet: Fleet, checks: Checks, evidence: Evidence) -> Iterator[Rule]:
    """Yield the rules about labels: known, sufficient, without contradictions and without leakage between splits."""

    def labels(outcome: Outcome) -> list[str]:
        return fleet.skill(str(outcome.skill)).labels

    yield Rule(
        check="has-labels",
        title="Every skill has labelled photos",
        table="skills",
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": "photos", "min_value": 1},
        per_skill=True,
        severity=Severity.FAILURE,
        message=lambda outcome: _no_label_message(str(outcome.skill), fleet, evidence),
        way_out="Add a column of the skill's name to the table of a source, or remove the skill from the fleet file.",
    )
    yield Rule(
        check="vocabulary",
        title="Labels are those of the fleet file",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "skill_and_label", "value_set": vocabulary(fleet)},
        per_skill=True,
        severity=Severity.FAILURE,
        tolerated_share=checks.max_unknown_share,
        message=lambda outcome: _unknown_message(outcome, labels(outcome)),
        details=lambda outcome: _unknown_labels(outcome, labels(outcome)),
        way_out="Correct the label in the table, or add it to `labels` in the fleet file. Photos with unknown labels "
        "are not used.",
    )
    yield from _count_rules()
    yield Rule(
        check="contradicting-duplicates",
        title="Copies of one photo have one answer",
        table="answers",
        expectation="ExpectColumnAToDetermineColumnB",
        arguments={"column_A": "skill_and_photo", "column_B": "label"},
        per_skill=True,
        severity=Severity.WARNING,
        message=lambda outcome: (
            f"{counted(len({row['photo_id'] for row in outcome.rows}), 'photo')} with answers that contradict one "
            f"another: {listed(_contradictions(outcome), 3, between='; ')}. Without a majority, a photo is not used."
        ),
        details=_contradictions,
        way_out="Look at the photo, keep the right answer in the table and remove the other file.",
    )
    yield Rule(
        check="contradicting-near-duplicates",
        title="Photos that look alike have one answer",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "look_alike_disagrees", "value_set": [False]},
        per_skill=True,
        severity=Severity.WARNING,
        message=lambda outcome: f"{photos_in(outcome)} labelled differently from a photo that looks the same.",
        way_out="Look at the pairs below and correct the labels that are wrong.",
        pairs=evidence.pairs,
    )
    yield Rule(
        check="sets-within-splits",
        title="A set never crosses a split",
        table="labels",
        expectation="ExpectColumnAToDetermineColumnB",
        arguments={"column_A": "skill_and_set", "column_B": "split"},
        per_skill=True,
        where={"admissible": True},
        severity=Severity.FAILURE,
        message=lambda outcome: (
            f"{counted(len({row['set_id'] for row in outcome.rows}), 'set')} with photos in more than one split "
            f"({photos_in(outcome)}): the test split would contain training data."
        ),
        way_out="Give all photos of a set the same `split` in the table, or leave the column out.",
    )
    yield Rule(
        check="leakage",
        title="No held-out photo looks like a photo of an earlier split",
        table="labels",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "seen_before", "value_set": [False]},
        per_skill=True,
        where={"held_out": True},
        severity=Severity.FAILURE,
        tolerated_share=checks.max_leaking_share,
        message=lambda outcome: (
            f"{photos_in(outcome)} of the validation and test splits ({percent(outcome.share)}) look like a photo "
            "of an earlier split: the skill would seem better than it is. "
            f"Up to {checks.max_leaking_share:.0%} is a warning."
        ),
        way_out="Give photos of the same thing one `set_id` in the table: a set never crosses a split.",
        pairs=evidence.pairs,
    )


def _no_label_message(name: str, fleet: Fleet, evidence: Evidence) -> str:
    column = Columns(evidence.attributes).likely(name, fleet.skill(name))
    renamed = f"; did you rename the column {column!r}? {ways_out(name, column)}" if column is not None else "."
    return f"No photo carries a label of {name!r}{renamed}"


def _count_rules() -> Iterator[Rule]:
    yield Rule(
        check="label-to-train-and-test",
        title="Each label has photos of 3 sets, in train and in test",
        table="coverage",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": "usable", "value_set": [True]},
        per_skill=True,
        where={"labelled": True},
        severity=Severity.FAILURE,
        message=lambda outcome: (
            f"{counted(len(outcome.rows), 'label')} cannot be trained or judged: {listed(_absences(outcome), 3)}."
        ),
        details=_absences,
        way_out="Add photos of at least 3 different sets for each such label, or remove the label from the fleet file.",
    )
    for gated in (True, False):
        yield Rule(
            check="photos-per-label",
            title=f"Each label has as many photos as {'the fleet file' if gated else 'the rule of thumb'} asks for",
            table="coverage",
            expectation="ExpectColumnPairValuesAToBeGreaterThanB",
            arguments={
                "column_A": "photos",
                "column_B": "needed",
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
            per_skill=True,
            where={"labelled": True, "gated": gated},
            severity=Severity.FAILURE if gated else Severity.WARNING,
            message=_missing_message,
            details=lambda outcome: [
                f"{row['label']}: {counted(row['photos'], 'photo')}, {row['missing']:,} missing" for row in outcome.rows
            ],
            way_out="Collect the missing photos"
            + (", or lower `minPhotosPerLabel` in the fleet file, with the reason." if gated else "."),
        )
    yield Rule(
        check="label-to-choose-with",
        title="Each label has photos in the validation split",
        table="coverage",
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": "validation", "min_value": 1},
        per_skill=True,
        where={"usable": True},
        severity=Severity.WARNING,
        message=lambda outcome: (
            f"{counted(len(outcome.rows), 'label')} without a photo in the validation split: "
            f"{listed([row['label'] for row in outcome.rows], 3)}. They do not count when the best candidate is chosen."
        ),
        details=lambda outcome: [str(row["label"]) for row in outcome.rows],
        way_out="Move some sets of these labels to validation in the table, or remove its column `split`.",
    )


def _missing_message(outcome: Outcome) -> str:
    needed = outcome.rows[0]["needed"]
    gated = outcome.rows[0]["gated"]
    rule = f"the {needed:,} that the fleet file asks for" if gated else f"the rule of thumb of {needed:,}"
    worst = sorted(outcome.rows, key=lambda row: row["photos"])
    total = sum(row["missing"] for row in outcome.rows)
    each = [f"{row['label']} has {row['photos']:,} ({row['missing']:,} missing)" for row in worst]
    return f"{counted(len(each), 'label')} below {rule}: {listed(each, 3)}; {counted(total, 'photo')} missing in all."


def _absences(outcome: Outcome) -> list[str]:
    return [_absence(row) for row in outcome.rows]


def _absence(row: Row) -> str:
    if not row["photos"]:
        return f"{row['label']} has no photo"
    empty = [split for split in ("train", "test") if not row[split]]
    if empty:
        return f"{row['label']} has none in {' and '.join(empty)}"
    return f"{row['label']} has photos of only {counted(row['sets'], 'set')}"


def _unknown_labels(outcome: Outcome, labels: Sequence[str]) -> list[str]:
    return unknown_labels(Counter(str(row["label"]) for row in outcome.rows), labels)


def _unknown_message(outcome: Outcome, labels: Sequence[str]) -> str:
    lines = _unknown_labels(outcome, labels)
    return (
        f"{counted(len(lines), 'label')} not in the fleet file, on {photos_in(outcome)} ({percent(outcome.share)}): "
        f"{listed(lines, 3)}"
    ).rstrip(".?") + ("?" if lines and lines[-1].endswith("?") and len(lines) <= 3 else ".")


def _contradictions(outcome: Outcome) -> list[str]:
    answers: dict[str, list[str]] = {}
    for row in outcome.rows:
        answers.setdefault(row["photo_id"], []).append(f"{row['annotator']} says {row['label']!r}")
    return [" but ".join(sorted(votes)) for votes in answers.values()]
