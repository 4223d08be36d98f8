"""Values of the chart: from the fleet file and exact versions, and of the revisions of a rollout."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from coachworks.errors import DataError, InvalidConfigError
from coachworks.fleet.skill import Serving
from components.deploy.target.values import (
    chart_values,
    image_values,
    read_values,
    with_canary,
    with_layouts,
)
from deploy_values import fleet, manifest, values_of

CHART = Path(__file__).parents[4] / "charts" / "fleet"


def test_values_name_exact_versions_digests_and_the_store_of_the_models() -> None:
    values = values_of(view="3", wheel="4")
    assert values.versions == {"view": "3", "wheel": "4"}
    assert values.skills["wheel"].model.head_sha256 == f"{4:064x}"
    document = values.to_json()
    assert document["image"] == {"repository": "ghcr.io/acme/serving", "tag": "1.2"}
    assert document["models"] == {
        "source": "store",
        "store": "s3://models/showroom",
        "environment": [{"secret": "store"}],
    }
    assert document["skills"]["wheel"]["run"] == "20260101-000000-abcdef"


def test_pods_of_a_skill_are_configured_only_where_it_has_its_own() -> None:
    skills = values_of().to_json()["skills"]
    assert (skills["view"]["port"], skills["view"]["serviceName"]) == (8080, "view")
    assert (skills["wheel"]["port"], skills["wheel"]["serviceName"], skills["wheel"]["replicas"]) == (
        9722,
        "ai-wheel",
        3,
    )
    assert {"replicas", "cpu", "memory"}.isdisjoint(skills["view"])


def test_skills_are_grouped_by_the_pods_that_serve_them() -> None:
    both = {"view": {}, "light": {}, "wheel": {"layout": "dedicated"}}
    values = values_of(fleet(skills=both), view="1", light="1", wheel="1")
    assert values.groups == {"shared": ["view", "light"], "wheel": ["wheel"]}


def test_equal_values_have_an_equal_digest_and_another_version_another_one() -> None:
    assert values_of().release_digest == values_of().release_digest
    assert values_of(view="1", wheel="2").release_digest != values_of().release_digest


def test_the_digest_does_not_depend_on_the_stage_of_a_rollout() -> None:
    values = values_of()
    assert with_canary(values, None, {"wheel": 1}, "all").with_digest().release_digest == values.release_digest
    assert values.with_traffic("none").with_digest().release_digest == values.release_digest


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_values_that_are_read_and_written_again_are_the_same(file: Path) -> None:
    document = YAML(typ="safe").load(file.read_text("utf-8")) or {}
    assert read_values(document).to_json() == document


def test_revisions_of_the_first_version_of_the_chart_are_read_by_the_old_name_of_the_digest() -> None:
    document = values_of().to_json()
    document["release"] = document.pop("releaseDigest")
    assert read_values(document) == values_of()
    assert "release" not in read_values(document).to_json()


def test_values_of_another_chart_are_refused() -> None:
    with pytest.raises(DataError, match=r"must be those of charts/fleet: skills: .*spec.deploy.release"):
        read_values({"skills": ["a list"]})


def test_a_move_ends_at_the_digest_of_the_target_after_helm_has_stored_the_values() -> None:
    whole = {"health": {"periodSeconds": 2.0}}
    layouts_of_wheel = ({"wheel": {"layout": layout}} for layout in ("shared", "dedicated"))
    old, new = (values_of(fleet(values=whole, skills={"view": {}, **wheel})) for wheel in layouts_of_wheel)
    stored = read_values(json.loads(json.dumps(old.to_json()).replace("2.0", "2")))  # as Go writes whole numbers
    _, switched = with_layouts(stored, new) or pytest.fail("it moves")
    assert switched.release_digest == new.release_digest


def test_a_folder_is_no_store_for_pods_but_a_model_image_needs_none() -> None:
    local = fleet(store="./store")
    with pytest.raises(InvalidConfigError, match="--image"):
        values_of(local)
    values = chart_values(local, manifest(view="1", wheel="1"), image="acme/models:1", model_image=True)
    assert values.to_json()["models"] == {"source": "image"}


def test_settings_of_the_deployment_take_precedence_over_those_of_the_cluster() -> None:
    configured = fleet(environment=[{"configMap": "there"}], priorityClass="high", autoscaling={"maxReplicas": 5})
    values = values_of(configured).to_json()
    assert values["models"]["environment"] == [{"configMap": "there"}]
    assert values["priorityClassName"] == "high"
    assert values["autoscaling"] == {"enabled": True, "minReplicas": 2, "maxReplicas": 5, "cpuUtilization": 70}


def test_more_values_of_the_chart_are_passed_on() -> None:
    configured = fleet(values={"nodeSelector": {"pool": "cpu"}}, skills={"view": {}})
    assert values_of(configured, view="1").to_json()["nodeSelector"] == {"pool": "cpu"}


@pytest.mark.parametrize("name", ["skills", "image", "canary", "traffic", "release", "releaseDigest"])
def test_more_values_must_not_contradict_the_fleet_file(name: str) -> None:
    with pytest.raises(ValueError, match=f"must not hold '{name}'"):
        fleet(values={name: {}})


def test_the_old_name_of_the_soak_is_refused_with_the_new_one() -> None:
    with pytest.raises(ValueError, match=r"`bakeSeconds` is called `soakSeconds` now\. Rename it"):
        fleet(canary={"bakeSeconds": 60})


@pytest.mark.parametrize("field", ["replicas", "cpu", "memory", "image", "environment"])
def test_a_skill_that_shares_its_pods_has_no_settings_of_its_own_for_them(field: str) -> None:
    value = {"replicas": 3, "cpu": "2", "memory": "1Gi", "image": "a/b:1", "environment": {"A": "b"}}[field]
    with pytest.raises(ValueError, match=f"`{field}` must not be set for a skill that shares its pods"):
        fleet(skills={"view": {field: value}})
    fleet(skills={"view": {field: value, "layout": "dedicated"}})


def test_the_name_of_the_shared_pods_is_refused_for_a_skill_with_its_own() -> None:
    with pytest.raises(ValueError, match="must not be called 'shared'"):
        fleet(skills={"shared": {"layout": "dedicated"}})


def test_fleet_file_and_chart_have_the_same_defaults_for_pods() -> None:
    def load(text: str) -> Any:
        return YAML(typ="safe").load(text)

    template = (CHART / "templates" / "_values.tpl").read_text("utf-8")
    defaults = template.partition('{{- define "fleet.defaults" -}}')[2].partition("{{- end }}")[0]
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))["definitions"]["skill"]["properties"]
    for name in ("replicas", "cpu", "memory"):
        default = Serving.model_fields[name].default
        assert load((CHART / "values.yaml").read_text("utf-8"))["shared"][name] == default
        assert load(defaults)["shared"][name] == default
        assert schema[name]["default"] == default


def test_images_are_read_with_ports_tags_and_digests() -> None:
    assert image_values("localhost:5000/a/b") == {"repository": "localhost:5000/a/b"}
    assert image_values("localhost:5000/a/b:1@sha256:0f") == {
        "repository": "localhost:5000/a/b",
        "tag": "1",
        "digest": "sha256:0f",
    }


def test_a_skill_moves_to_pods_of_its_own_in_two_revisions() -> None:
    old = values_of(fleet(skills={"view": {}, "wheel": {}}))
    new = values_of(fleet(), view="1", wheel="2")
    added, switched = with_layouts(old, new) or pytest.fail("it moves")
    assert added.layouts == {"view": "shared", "wheel": "shared"}
    assert added.skills["wheel"].moving == "dedicated"
    assert added.to_json()["skills"]["wheel"]["replicas"] == 3
    assert switched.layouts == {"view": "shared", "wheel": "dedicated"}
    assert switched.complete
    assert not added.complete
    assert added.versions == switched.versions == old.versions


def test_a_skill_moves_back_to_shared_pods_in_two_revisions() -> None:
    old, new = values_of(fleet()), values_of(fleet(skills={"view": {}, "wheel": {}}))
    added, switched = with_layouts(old, new) or pytest.fail("it moves")
    assert added.layouts["wheel"] == "dedicated"
    assert added.skills["wheel"].moving == "shared"
    assert added.to_json()["skills"]["wheel"]["replicas"] == 3
    assert switched.layouts["wheel"] == "shared"
    assert "replicas" not in switched.to_json()["skills"]["wheel"]


def test_no_skill_moves_where_layouts_are_equal_or_a_skill_is_new() -> None:
    assert with_layouts(values_of(), values_of(view="2", wheel="2")) is None
    assert with_layouts(values_of(fleet(skills={"view": {}}), view="1"), values_of()) is None


def test_a_canary_has_the_versions_that_the_stable_pods_do_not_have_yet() -> None:
    old, new = values_of(), values_of(view="1", wheel="2")
    values = with_canary(old, new, {"wheel": 1}, "stable")
    assert values.versions == old.versions
    assert values.canary is not None
    assert read_values(values.canary.values).versions == new.versions
    assert values.canary.groups == ["wheel"]
    assert not values.complete
    assert not with_canary(old, None, {}, "all").complete
    assert old.complete


def test_the_bundled_chart_is_there_for_it() -> None:
    assert (CHART / "Chart.yaml").exists()
