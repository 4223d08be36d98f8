"""Deployment tags of model versions in MLflow."""

import json

import pytest

from components.deploy.models.deployment_tags import Deployment, deployments_of, record_deployed

DIGESTS = ["1" * 64, "2" * 64, "3" * 64]


@pytest.fixture
def registry(registry):
    """Three versions of `view`, two of `light`."""
    for digest in DIGESTS:
        registry.add("view", digest)
    for digest in DIGESTS[:2]:
        registry.add("light", digest)
    return registry


def revision(number, **changed):
    facts = {"namespace": "cars", "release": "showroom", "release_digest": f"{number:012x}", "by": "Ada"}
    return Deployment(revision=number, at=f"2026-03-01T10:00:{number:02}+00:00", **{**facts, **changed})


def tag_of(registry, skill, number, where=("cars", "showroom")):
    return deployments_of(registry.tags(skill, number)).get(where)


def test_each_deployed_version_is_tagged(registry):
    recorded = record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    assert (recorded.deployed, recorded.replaced, recorded.unknown) == (("view v1", "light v2"), (), ())
    assert json.loads(registry.tags("view", "1")["coachworks.deployed.cars.showroom"]) == {
        "state": "stable",
        "revision": 1,
        "release": "000000000001",
        "at": "2026-03-01T10:00:01+00:00",
        "by": "Ada",
    }
    assert tag_of(registry, "light", "1") is None


def test_a_replaced_version_is_tagged_with_the_revision_that_replaced_it(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    recorded = record_deployed(registry.fleet, revision(2, by="Grace"), {"view": "3", "light": "2"})
    assert (recorded.deployed, recorded.replaced) == (("view v3", "light v2"), ("view v1",))
    content = tag_of(registry, "view", "1")
    assert (content["state"], content["revision"], content["by"]) == ("replaced", 1, "Ada")
    assert content["until"] == "2026-03-01T10:00:02+00:00"
    assert content["replaced_by"] == {"revision": 2, "by": "Grace"}
    assert tag_of(registry, "light", "2")["revision"] == 2


def test_going_back_makes_the_earlier_version_the_stable_one(registry):
    for number, version in ((1, "1"), (2, "2"), (3, "1")):
        record_deployed(registry.fleet, revision(number), {"view": version})
    assert (tag_of(registry, "view", "1")["state"], tag_of(registry, "view", "1")["revision"]) == ("stable", 3)
    assert "until" not in tag_of(registry, "view", "1")
    assert (tag_of(registry, "view", "2")["state"], tag_of(registry, "view", "2")["revision"]) == ("replaced", 2)


def test_a_skill_that_left_the_release_is_replaced_by_nothing(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    assert record_deployed(registry.fleet, revision(2), {"view": "1"}).replaced == ("light v2",)
    assert record_deployed(registry.fleet, revision(3), {}).replaced == ("view v1",)


def test_recording_twice_changes_nothing(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    record_deployed(registry.fleet, revision(2), {"view": "2"})
    before = [registry.tags("view", number) for number in "123"]
    again = record_deployed(registry.fleet, revision(2, by="somebody", release="showroom"), {"view": "2"})
    assert (again.deployed, again.replaced) == (("view v2",), ())
    assert [registry.tags("view", number) for number in "123"] == before


def test_the_next_deployment_completes_the_tags_of_a_killed_deployer(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    content = json.dumps(revision(2).deployed())  # killed before it came to version 1
    registry.client.set_model_version_tag(
        f"{registry.fleet.name}.view", "2", "coachworks.deployed.cars.showroom", content
    )
    record_deployed(registry.fleet, revision(3), {"view": "3"})
    assert [tag_of(registry, "view", number)["state"] for number in "123"] == ["replaced", "replaced", "stable"]


def test_two_releases_do_not_mix(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    record_deployed(registry.fleet, revision(1, namespace="staging"), {"view": "2"})
    assert tag_of(registry, "view", "1")["state"] == "stable"
    assert tag_of(registry, "view", "2", ("staging", "showroom"))["state"] == "stable"
    assert tag_of(registry, "view", "2") is None


def test_a_version_that_is_no_longer_registered_is_reported_not_fatal(registry):
    recorded = record_deployed(registry.fleet, revision(1), {"view": "9", "light": "1", "gone": "1"})
    assert (recorded.deployed, recorded.unknown) == (("light v1",), ("view v9", "gone v1"))


@pytest.mark.parametrize("value", ["", "{", "[]", '{"state": "odd"}'])
def test_a_tag_that_cannot_be_read_counts_as_deployed(value):
    tags = {"coachworks.deployed.cars.showroom": value, "other": "x"}
    assert deployments_of(tags) == {("cars", "showroom"): {"state": "stable"}}
