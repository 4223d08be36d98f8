"""The model by itself refuses what the reader refuses, and gives each skill its settings."""

import pytest
from pydantic import ValidationError
from small_fleets import small_fleet as fleet

from coachworks.fleet.model import Fleet


@pytest.mark.parametrize(
    ("skills", "message"),
    [
        ({"a": {"labels": ["x", "X"]}}, "labels must differ in more than case"),
        ({"a": {"labels": ["x", "y"], "similar": [["x", "z"]]}}, "'z' is not among them"),
        ({"a": {"labels": ["x", "y"], "unsure": "y"}}, "`unsure` must not be among the labels"),
        (
            {
                "a": {"labels": ["x", "y"], "serving": {"port": 1}},
                "b": {"labels": ["x", "y"], "serving": {"port": 1}},
            },
            "two skills must not have the same port",
        ),
        (
            {
                "a": {"labels": ["x", "y"], "serving": {"service_name": "s"}},
                "b": {"labels": ["x", "y"], "serving": {"serviceName": "s"}},
            },
            "two skills must not have the same serviceName",
        ),
        ({"A": {"labels": ["x", "y"]}}, "a name must be a DNS label"),
        ({"a": {"labels": ["x", "y"], "serving": {"port": True}}}, "valid integer"),
    ],
)
def test_the_model_alone_refuses_what_breaks_a_rule(skills, message):
    with pytest.raises(ValidationError, match=message):
        fleet(skills)


def test_errors_of_single_values_and_between_values_come_together():
    with pytest.raises(ValidationError) as caught:
        fleet(
            {"a": {"labels": ["x", "y"], "tier": "high"}, "b": {"labels": [1, "y"]}}, sources=[{"photos": "./photos"}]
        )
    assert {error["loc"] for error in caught.value.errors()} == {
        ("spec", "sources", 0),
        ("spec", "skills", "a", "tier"),
        ("spec", "skills", "b", "labels", 0),
    }


def test_a_skill_has_its_own_settings_and_else_those_of_the_defaults():
    parsed = fleet(
        {
            "a": {"labels": ["x", "y"], "gates": {"minPhotosPerLabel": 7}, "serving": {"port": 80}},
            "b": {"labels": ["x", "y"]},
        },
        defaults={"candidates": ["knn"], "gates": {"minBalancedAccuracy": 0.9}, "serving": {"replicas": 5}},
    )
    assert parsed.gates("a").min_photos_per_label == 7
    assert parsed.gates("a").min_balanced_accuracy == 0.9
    assert parsed.gates("b").min_photos_per_label is None
    assert parsed.serving("a").port == 80
    assert parsed.serving("a").replicas == 5
    assert parsed.candidates("b") == ["knn"]


def test_a_fleet_travels_as_json_unchanged(tmp_path):
    parsed = fleet({"a": {"labels": ["x", "y"]}}, sources=[{"photos": "./photos"}]).located(tmp_path)
    assert Fleet.from_json(parsed.to_json()) == parsed
    assert parsed.spec.sources[0].skill == "a"


def test_lanes_share_the_skills_out():
    parsed = fleet({name: {"labels": ["x", "y"]} for name in "abcde"}, lanes=2)
    assert parsed.lanes() == [["a", "c", "e"], ["b", "d"]]
    assert parsed.lanes(["b"]) == [["b"]]


def test_a_renamed_skill_keeps_its_service_unless_the_file_names_one():
    labels = {"labels": ["x", "y"], "was": "content"}
    assert fleet({"kind": labels}).service_name("kind") == "content"
    assert fleet({"kind": {**labels, "serving": {"serviceName": "kind"}}}).service_name("kind") == "kind"
    assert fleet({"kind": {"labels": ["x", "y"]}}).service_name("kind") == "kind"
    assert fleet({"kind": labels, "view": {"labels": ["x", "y"]}}).renamed == {"content": "kind"}
