"""The chart's values: from the fleet file and exact versions, and the revisions on the way from one to the next."""

import json
from pathlib import Path

import pytest

from coachworks.errors import InvalidConfigError
from components.deploy.target.values import (
    chart_values,
    digests,
    image_values,
    layouts,
    settled,
    versions,
    with_canary,
    with_layouts,
)
from deploy_values import fleet, manifest, values_of


def test_values_name_exact_versions_digests_and_where_pods_find_them() -> None:
    values = values_of(view="3", wheel="4")
    assert versions(values) == {"view": "3", "wheel": "4"}
    assert digests(values) == {"view": f"{3:064x}", "wheel": f"{4:064x}"}
    assert values["image"] == {"repository": "ghcr.io/acme/serving", "tag": "1.2"}
    assert values["models"] == {
        "source": "store",
        "store": "s3://models/showroom",
        "environment": [{"secret": "store"}],
    }
    assert values["skills"]["wheel"]["run"] == "20260101-000000-abcdef"


def test_a_skill_s_own_pods_are_set_only_where_it_has_them() -> None:
    skills = values_of()["skills"]
    assert (skills["view"]["port"], skills["view"]["serviceName"]) == (8080, "view")
    assert (skills["wheel"]["port"], skills["wheel"]["serviceName"], skills["wheel"]["replicas"]) == (
        9722,
        "ai-wheel",
        3,
    )
    assert {"replicas", "cpu", "memory"}.isdisjoint(skills["view"])


def test_the_same_gives_the_same_digest_and_another_version_another() -> None:
    assert values_of()["release"] == values_of()["release"]
    assert values_of(view="1", wheel="2")["release"] != values_of()["release"]


def test_a_move_ends_at_the_very_release_that_was_aimed_at_once_helm_has_kept_the_values() -> None:
    whole = {"health": {"periodSeconds": 2.0}}
    layouts_of_wheel = ({"wheel": {"layout": layout}} for layout in ("shared", "dedicated"))
    old, new = (values_of(fleet(values=whole, skills={"view": {}, **wheel})) for wheel in layouts_of_wheel)
    kept = json.loads(json.dumps(old).replace("2.0", "2"))  # Go writes whole numbers so
    _, switched = with_layouts(kept, new) or pytest.fail("it moves")
    assert switched["release"] == new["release"]


def test_a_folder_is_no_store_for_pods_but_models_in_the_image_need_none() -> None:
    local = fleet(store="./store")
    with pytest.raises(InvalidConfigError, match="--image"):
        values_of(local)
    baked = chart_values(local, manifest(view="1", wheel="1"), image="acme/baked:1", baked=True)
    assert baked["models"] == {"source": "image"}


def test_what_the_deployment_names_of_the_cluster_goes_before_what_the_pipeline_does() -> None:
    given = fleet(environment=[{"configMap": "there"}], priorityClass="high", autoscaling={"maxReplicas": 5})
    values = values_of(given)
    assert values["models"]["environment"] == [{"configMap": "there"}]
    assert values["priorityClassName"] == "high"
    assert values["autoscaling"] == {"enabled": True, "minReplicas": 2, "maxReplicas": 5, "cpuUtilization": 70}


def test_further_values_of_the_chart_come_along() -> None:
    given = fleet(
        values={"nodeSelector": {"pool": "cpu"}},
        skills={"view": {}},
    )
    assert values_of(given, view="1")["nodeSelector"] == {"pool": "cpu"}


@pytest.mark.parametrize("name", ["skills", "image", "canary", "traffic", "release"])
def test_further_values_do_not_gainsay_the_fleet_file(name: str) -> None:
    with pytest.raises(ValueError, match=f"must not hold '{name}'"):
        fleet(values={name: {}})


@pytest.mark.parametrize("field", ["replicas", "cpu", "memory", "image", "environment"])
def test_a_skill_that_shares_its_pods_has_no_settings_of_its_own_for_them(field: str) -> None:
    value = {"replicas": 3, "cpu": "2", "memory": "1Gi", "image": "a/b:1", "environment": {"A": "b"}}[field]
    with pytest.raises(ValueError, match=f"`{field}` must not be set for a skill that shares its pods"):
        fleet(skills={"view": {field: value}})
    fleet(skills={"view": {field: value, "layout": "dedicated"}})


def test_pods_of_a_skill_s_own_are_not_called_like_those_of_all_others() -> None:
    with pytest.raises(ValueError, match="must not be called 'shared'"):
        fleet(skills={"shared": {"layout": "dedicated"}})


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
    assert layouts(added) == {"view": "shared", "wheel": "shared"}
    assert added["skills"]["wheel"]["moving"] == "dedicated"
    assert added["skills"]["wheel"]["replicas"] == 3
    assert layouts(switched) == {"view": "shared", "wheel": "dedicated"}
    assert settled(switched)
    assert not settled(added)
    assert versions(added) == versions(switched) == versions(old)


def test_a_skill_moves_back_to_shared_pods_in_two_revisions() -> None:
    old, new = values_of(fleet()), values_of(fleet(skills={"view": {}, "wheel": {}}))
    added, switched = with_layouts(old, new) or pytest.fail("it moves")
    assert layouts(added)["wheel"] == "dedicated"
    assert added["skills"]["wheel"]["moving"] == "shared"
    assert added["skills"]["wheel"]["replicas"] == 3
    assert layouts(switched)["wheel"] == "shared"
    assert "replicas" not in switched["skills"]["wheel"]


def test_nothing_moves_where_layouts_are_the_same_or_a_skill_is_new() -> None:
    assert with_layouts(values_of(), values_of(view="2", wheel="2")) is None
    assert with_layouts(values_of(fleet(skills={"view": {}}), view="1"), values_of()) is None


def test_a_canary_is_what_the_stable_pods_are_not_yet() -> None:
    old, new = values_of(), values_of(view="1", wheel="2")
    values = with_canary(old, new, {"wheel": 1}, "stable")
    assert versions(values) == versions(old)
    assert versions(values["canary"]["values"]) == versions(new)
    assert values["canary"]["groups"] == ["wheel"]
    assert not settled(values)
    assert not settled(with_canary(old, None, {}, "all"))
    assert settled(old)


def test_the_bundled_chart_is_there_for_it() -> None:
    assert (Path(__file__).parents[4] / "charts" / "fleet" / "Chart.yaml").exists()
