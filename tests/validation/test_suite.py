import json
from datetime import datetime

import pandas as pd
import pytest

from coachworks.fleet.model import Checks
from coachworks.tables import CATALOGUE, VOTES, write_table
from validation import gather, judge_skill, rules, run_suite, schema_rules, schema_table
from validation.suite import custom_expectations

COLOUR = {"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 3}}
ALTERNATING = ["red", "red", "red", "blue", "blue", "blue"]


def by_check(findings):
    return {finding.check: finding for finding in findings}


@pytest.fixture
def twelve(photos, labelled):
    catalogue = photos(12)
    return catalogue, labelled(catalogue, "colour", ALTERNATING * 2)


def test_valid_tables_give_no_findings(judge, fleet_of, twelve):
    assert judge(fleet_of(colour=COLOUR), *twelve) == []


def test_an_empty_catalogue_fails(judge, fleet_of, photos, labelled):
    findings_by_check = by_check(judge(fleet_of(colour=COLOUR), photos(0), labelled(photos(0), "colour", [])))
    assert findings_by_check["row-count"].severity == "failure"
    assert findings_by_check["row-count"].message == "There is no photo in the catalogue."
    assert findings_by_check["has-labels"].message == "No photo carries a label of 'colour'."
    assert set(findings_by_check) == {"row-count", "has-labels"}


def test_a_skill_without_labels_names_the_column_that_may_hold_them(judge, fleet_of, photos, labelled):
    catalogue = photos(12, paint=ALTERNATING * 2)
    findings = judge(fleet_of(colour=COLOUR), catalogue, labelled(catalogue, "paint", ALTERNATING * 2))
    assert by_check(findings)["has-labels"].message == (
        "No photo carries a label of 'colour'; did you rename the column 'paint'? Then write `was: paint` at the "
        "skill, or rename the column to 'colour'."
    )


def test_one_photo_without_any_measure_is_validated(judge, fleet_of, photos, labelled):
    nothing = [None]
    catalogue = photos(1, sharpness=nothing, brightness=nothing, contrast=nothing, perceptual_hash=nothing)
    catalogue = catalogue.astype({"sharpness": float, "brightness": float, "contrast": float})
    findings_by_check = by_check(judge(fleet_of(colour=COLOUR), catalogue, labelled(catalogue, "colour", ["red"])))
    assert findings_by_check["perceptual-hash"].severity == "info"
    assert findings_by_check["label-to-train-and-test"].details == ("red has none in test", "blue has no photo")


def test_photos_with_the_same_name_fail(judge_by, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue.loc[3, "filename"] = catalogue.loc[7, "filename"]
    finding = judge_by("unique-filename", fleet_of(colour=COLOUR), catalogue, labels)
    assert finding.severity == "failure"
    assert finding.message == "2 photos share their filename: '007.jpg'."
    assert set(finding.photo_ids) == {catalogue.loc[3, "photo_id"], catalogue.loc[7, "photo_id"]}


def test_photos_without_permission_are_a_warning(judge_by, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue.loc[:2, "permission"] = None
    finding = judge_by("permission", fleet_of(colour=COLOUR), catalogue, labels)
    assert (finding.check, finding.severity, finding.count) == ("permission", "warning", 3)
    assert finding.message == "3 photos without a permission (25.0%)."


def test_a_photo_taken_after_its_ingest_is_a_warning_with_a_day_for_time_zones(judge, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue.loc[0, "taken_at"] = datetime(2026, 1, 2, 20)
    catalogue.loc[1, "taken_at"] = datetime(2031, 1, 1)
    (finding,) = judge(fleet_of(colour=COLOUR), catalogue, labels)
    assert finding.photo_ids == (catalogue.loc[1, "photo_id"],)
    assert finding.message == "1 photo taken after the ingest: the camera's clock was wrong."


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [("sharpness", 1.0, "sharpness"), ("brightness", 0.01, "brightness"), ("brightness", 0.99, "brightness"),
     ("contrast", 0.001, "contrast"), ("height_px", 40, "size")],
)  # fmt: skip
def test_a_poor_photo_is_a_note_and_many_are_a_warning(judge_by, fleet_of, photos, labelled, column, value, check):
    catalogue = photos(60)
    labels = labelled(catalogue, "colour", ALTERNATING * 10)
    catalogue.loc[5, column] = value
    finding = judge_by(check, fleet_of(colour=COLOUR), catalogue, labels)
    assert (finding.severity, finding.photo_ids) == ("info", (catalogue.loc[5, "photo_id"],))
    catalogue.loc[6:10, column] = value
    finding = judge_by(check, fleet_of(colour=COLOUR), catalogue, labels)
    assert (finding.severity, finding.count) == ("warning", 6)


def test_blurry_photos_are_allowed_for_a_skill_about_blur(judge, fleet_of, photos, labelled):
    catalogue = photos(60)
    labels = labelled(catalogue, "quality", (["good"] * 3 + ["blurry"] * 3) * 10)
    catalogue.loc[labels["label"] == "blurry", "sharpness"] = 1.0
    fleet = fleet_of(quality={"labels": ["good", "blurry"], "gates": {"minPhotosPerLabel": 3}, "tier": "critical"})
    assert judge(fleet, catalogue, labels) == []


def test_blur_in_all_photos_is_not_taken_for_the_meaning_of_a_label(judge_by, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue["sharpness"] = 1.0
    finding = judge_by("sharpness", fleet_of(colour=COLOUR), catalogue, labels)
    assert (finding.check, finding.severity, finding.count) == ("sharpness", "warning", 12)


def test_an_unknown_label_is_listed_with_the_closest_known_one(judge_by, fleet_of, photos, labelled):
    catalogue = photos(300)
    answers = ALTERNATING * 50
    answers[7] = "rde"
    finding = judge_by("vocabulary", fleet_of(colour=COLOUR), catalogue, labelled(catalogue, "colour", answers))
    assert (finding.check, finding.severity, finding.skill) == ("vocabulary", "warning", "colour")
    assert finding.message == (
        "1 label not in the fleet file, on 1 photo (0.3%): 'rde' on 1 photo; did you mean 'red'?"
    )


def test_many_unknown_labels_fail(judge_by, fleet_of, photos, labelled):
    catalogue = photos(60)
    answers = [*ALTERNATING * 9, "green", "green", "green", "Red", "green", "<b>"]
    finding = judge_by("vocabulary", fleet_of(colour=COLOUR), catalogue, labelled(catalogue, "colour", answers))
    assert finding.severity == "failure"
    assert finding.details == (
        "'green' on 4 photos",
        "'Red' on 1 photo; did you mean 'red'?",
        "'<b>' on 1 photo",
    )


def test_too_few_photos_for_the_rule_of_thumb_warn_with_the_number_missing(judge_by, fleet_of, twelve):
    finding = judge_by("photos-per-label", fleet_of(colour={"labels": ["red", "blue"]}), *twelve)
    assert (finding.check, finding.severity) == ("photos-per-label", "warning")
    assert finding.message == (
        "2 labels below the rule of thumb of 1,000: red has 6 (994 missing), blue has 6 (994 missing); "
        "1,988 photos missing in all."
    )


def test_too_few_photos_fail_if_the_fleet_file_sets_the_gate(judge_by, fleet_of, photos, labelled):
    catalogue = photos(12)
    labels = labelled(catalogue, "colour", ["red"] * 9 + ["blue"] * 3)
    fleet = fleet_of(colour={"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 8}})
    finding = judge_by("photos-per-label", fleet, catalogue, labels)
    assert finding.severity == "failure"
    assert finding.message == (
        "1 label below the 8 that the fleet file asks for: blue has 3 (5 missing); 5 photos missing in all."
    )


def test_a_label_without_test_photos_fails_and_one_without_validation_photos_warns(judge, fleet_of, photos, labelled):
    catalogue = photos(12)
    labels = labelled(catalogue, "colour", ["red"] * 12)
    labels.loc[(labels["split"] == "train") & (labels.index > 3), "label"] = "blue"
    labels.loc[labels["split"] == "validation", "label"] = "green"
    labels.loc[2, "label"] = "white"
    labels.loc[[0, 3], "label"] = "white"
    fleet = fleet_of(colour={"labels": ["red", "blue", "green", "white"], "gates": {"minPhotosPerLabel": 1}})
    findings_by_check = by_check(judge(fleet, catalogue, labels))
    assert findings_by_check["label-to-train-and-test"].details == (
        "red has none in train",
        "blue has none in test",
        "green has none in train and test",
    )
    assert findings_by_check["label-to-train-and-test"].severity == "failure"
    assert findings_by_check["label-to-choose-with"].details == ("white",)
    assert findings_by_check["label-to-choose-with"].severity == "warning"


def test_a_label_of_two_sets_cannot_be_evaluated(judge_by, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue.loc[labels["label"] == "red", "set_id"] = "one car"
    finding = judge_by("label-to-train-and-test", fleet_of(colour=COLOUR), catalogue, labels)
    assert finding.details == ("red has photos of only 1 set",)


def test_a_set_across_splits_fails(judge, fleet_of, twelve):
    catalogue, labels = twelve
    catalogue.loc[[0, 1], "set_id"] = "one car"
    (finding,) = judge(fleet_of(colour=COLOUR), catalogue, labels)
    assert (finding.check, finding.severity, finding.skill) == ("sets-within-splits", "failure", "colour")
    assert finding.message.startswith("1 set with photos in more than one split (2 photos)")


def test_copies_of_a_photo_with_contradicting_answers_warn_with_both_files(judge_by, fleet_of, twelve):
    catalogue, labels = twelve
    rows = [
        (catalogue.loc[0, "photo_id"], "colour", "own:a.jpg", "red", None),
        (catalogue.loc[0, "photo_id"], "colour", "own:b.jpg", "blue", None),
        (catalogue.loc[1, "photo_id"], "colour", "own:c.jpg", "red", None),
        (catalogue.loc[1, "photo_id"], "colour", "own:d.jpg", "no idea", None),
        (catalogue.loc[2, "photo_id"], "colour", "own:e.jpg", "red", None),
        (catalogue.loc[2, "photo_id"], "colour", "own:f.jpg", "red", None),
    ]
    votes = pd.DataFrame(rows, columns=list(VOTES))
    finding = judge_by(
        "contradicting-duplicates", fleet_of(colour={**COLOUR, "unsure": "no idea"}), catalogue, labels, votes=votes
    )
    assert (finding.check, finding.severity, finding.count) == ("contradicting-duplicates", "warning", 1)
    assert finding.details == ("own:a.jpg says 'red' but own:b.jpg says 'blue'",)
    assert "own:a.jpg says 'red' but own:b.jpg says 'blue'" in finding.message


def test_near_duplicates_in_one_split_are_a_note(judge, fleet_of, twelve, photo_id):
    pair = (photo_id(0), photo_id(6))
    (finding,) = judge(fleet_of(colour=COLOUR), *twelve, pairs=(pair,))
    assert (finding.check, finding.severity, finding.pairs) == ("near-duplicates", "info", (pair,))


def test_near_duplicates_with_different_labels_warn(judge_by, fleet_of, twelve, photo_id):
    finding = judge_by(
        "contradicting-near-duplicates", fleet_of(colour=COLOUR), *twelve, pairs=((photo_id(0), photo_id(3)),)
    )
    assert finding.severity == "warning"
    assert finding.count == 2


def test_few_held_out_photos_seen_in_training_warn_and_many_fail(judge_by, fleet_of, photos, labelled, photo_id):
    catalogue = photos(120)
    labels = labelled(catalogue, "colour", ALTERNATING * 20)
    pairs = tuple((photo_id(n), photo_id(n + 2)) for n in range(0, 36, 6))
    tables = fleet_of(colour=COLOUR), catalogue, labels
    few = judge_by("leakage", *tables, pairs=pairs[:2])
    assert few.severity == "warning"
    assert few.photo_ids == (photo_id(2), photo_id(8))
    assert few.pairs == pairs[:2]
    assert few.message.startswith("2 photos of the validation and test splits (2.5%) look like a photo of an earlier")
    assert judge_by("leakage", *tables, pairs=pairs).severity == "failure"
    assert judge_by("leakage", *tables, pairs=pairs, checks=Checks(max_leaking_share=0.5)).severity == "warning"


def test_findings_of_one_skill_do_not_concern_another(judge, fleet_of, photos, labelled):
    catalogue = photos(12)
    fleet = fleet_of(colour=COLOUR, shape={"labels": ["round", "square"]})
    findings = judge(fleet, catalogue, labelled(catalogue, "colour", ALTERNATING * 2))
    assert [(finding.check, finding.skill) for finding in findings] == [("has-labels", "shape")]
    passed = {
        name: judge_skill(name, findings, critical=False, photo_ids=frozenset()).passed for name in ("colour", "shape")
    }
    assert passed == {"colour": True, "shape": False}


def test_the_schema_names_columns_that_are_missing_or_of_another_type(tmp_path, photos):
    write_table(photos(2), tmp_path / "right.parquet", CATALOGUE)
    wrong = photos(2).drop(columns="source").assign(width_px=["a", "b"])
    wrong.to_parquet(tmp_path / "wrong.parquet")
    columns = {name: CATALOGUE[name] for name in ("photo_id", "source", "width_px")}
    right = schema_table({"catalogue": (tmp_path / "right.parquet", columns)})
    assert run_suite("showroom", schema_rules(), {"schema": right}).findings == ()
    table = schema_table({"catalogue": (tmp_path / "wrong.parquet", columns)})
    (finding,) = run_suite("showroom", schema_rules(), {"schema": table}).findings
    assert finding.severity == "failure"
    assert finding.details == (
        "catalogue.source must be string; it is missing",
        "catalogue.width_px must be int32; it is string",
    )


def test_an_expectation_that_raises_is_a_failure_not_a_crash(fleet_of, twelve):
    catalogue, labels = twelve
    fleet = fleet_of(colour=COLOUR)
    votes = pd.DataFrame(columns=list(VOTES))
    splits = catalogue[["photo_id", "set_id", "split"]]
    evidence = gather(
        fleet, fleet.spec.checks, catalogue=catalogue, splits=splits, labels=labels, votes=votes, pairs=()
    )
    tables = {**evidence.tables(), "catalogue": evidence.catalogue.drop(columns="permission")}
    about = [rule for rule in rules(fleet, fleet.spec.checks, evidence) if rule.check in ("permission", "format")]
    run = run_suite("showroom", about, tables)
    (finding,) = run.findings
    assert (finding.check, finding.severity) == ("permission", "failure")
    assert finding.message.startswith(
        "The rule 'Every photo has a licence or a written permission' could not be evaluated"
    )


def test_every_expectation_exists_with_its_arguments(fleet_of, twelve):
    import great_expectations

    catalogue, labels = twelve
    fleet = fleet_of(colour=COLOUR)
    splits = catalogue[["photo_id", "set_id", "split"]]
    votes = pd.DataFrame(columns=list(VOTES))
    evidence = gather(
        fleet, fleet.spec.checks, catalogue=catalogue, splits=splits, labels=labels, votes=votes, pairs=()
    )
    for rule in [*schema_rules(), *rules(fleet, fleet.spec.checks, evidence)]:
        kind = custom_expectations().get(rule.expectation) or getattr(great_expectations.expectations, rule.expectation)
        assert issubclass(kind, great_expectations.expectations.Expectation)
        assert set(rule.arguments) <= set(kind.model_fields if hasattr(kind, "model_fields") else kind.__fields__)


def test_the_record_is_json_and_names_each_expectation(fleet_of, twelve):
    catalogue, labels = twelve
    catalogue["permission"] = None
    fleet = fleet_of(colour=COLOUR)
    votes = pd.DataFrame(columns=list(VOTES))
    splits = catalogue[["photo_id", "set_id", "split"]]
    evidence = gather(
        fleet, fleet.spec.checks, catalogue=catalogue, splits=splits, labels=labels, votes=votes, pairs=()
    )
    record = json.loads(
        json.dumps(run_suite("showroom", rules(fleet, fleet.spec.checks, evidence), evidence.tables()).record)
    )
    assert set(record["suites"]) == {f"showroom.{table}" for table in evidence.tables()}
    (permission,) = [r for r in record["suites"]["showroom.catalogue"]["results"] if r["check"] == "permission"]
    assert permission["expectation"] == "expect_column_values_to_not_be_null"
    assert permission["success"] is False
    assert permission["result"]["unexpected_count"] == 12
