"""What is deployed where, as MLflow tells it."""

import json

import pytest
from registered import Registry, fleet_of, mlflow_server

from components.deploy.models.deployment_tags import Deployment, deployments_of, record_deployed

DIGESTS = ["1" * 64, "2" * 64, "3" * 64]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(params=["embedded", pytest.param("server", marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def registry(request, tmp_path, empty_database, monkeypatch):
    """Three versions of `view`, two of `light`."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if request.param == "embedded":
        found = Registry.embedded(fleet_of(tmp_path / "store"), empty_database)
    else:
        from mlflow import MlflowClient

        address = request.getfixturevalue("server")
        name = f"cars-{abs(hash(request.node.name)) % 10**8}"
        found = Registry(fleet_of(tmp_path / "store", address, name), MlflowClient(address))
    for digest in DIGESTS:
        found.add("view", digest)
    for digest in DIGESTS[:2]:
        found.add("light", digest)
    return found


def revision(number, **changed):
    facts = {"namespace": "cars", "name": "showroom", "release": f"{number:012x}", "by": "Ada"}
    return Deployment(revision=number, at=f"2026-03-01T10:00:{number:02}+00:00", **{**facts, **changed})


def said(registry, skill, number, where=("cars", "showroom")):
    return deployments_of(registry.tags(skill, number)).get(where)


def test_each_deployed_version_says_so(registry):
    recorded = record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    assert (recorded.stable, recorded.replaced, recorded.unknown) == (("view v1", "light v2"), (), ())
    assert json.loads(registry.tags("view", "1")["coachworks.deployed.cars.showroom"]) == {
        "state": "stable",
        "revision": 1,
        "release": "000000000001",
        "at": "2026-03-01T10:00:01+00:00",
        "by": "Ada",
    }
    assert said(registry, "light", "1") is None


def test_a_version_that_was_replaced_says_by_what(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    recorded = record_deployed(registry.fleet, revision(2, by="Grace"), {"view": "3", "light": "2"})
    assert (recorded.stable, recorded.replaced) == (("view v3", "light v2"), ("view v1",))
    told = said(registry, "view", "1")
    assert (told["state"], told["revision"], told["by"]) == ("replaced", 1, "Ada")
    assert told["until"] == "2026-03-01T10:00:02+00:00"
    assert told["replaced_by"] == {"revision": 2, "by": "Grace"}
    assert said(registry, "light", "2")["revision"] == 2


def test_going_back_makes_the_earlier_version_the_stable_one(registry):
    for number, version in ((1, "1"), (2, "2"), (3, "1")):
        record_deployed(registry.fleet, revision(number), {"view": version})
    assert (said(registry, "view", "1")["state"], said(registry, "view", "1")["revision"]) == ("stable", 3)
    assert "until" not in said(registry, "view", "1")
    assert (said(registry, "view", "2")["state"], said(registry, "view", "2")["revision"]) == ("replaced", 2)


def test_a_skill_that_left_the_release_is_replaced_by_nothing(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1", "light": "2"})
    assert record_deployed(registry.fleet, revision(2), {"view": "1"}).replaced == ("light v2",)
    assert record_deployed(registry.fleet, revision(3), {}).replaced == ("view v1",)


def test_recording_twice_changes_nothing(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    record_deployed(registry.fleet, revision(2), {"view": "2"})
    before = [registry.tags("view", number) for number in "123"]
    again = record_deployed(registry.fleet, revision(2, by="somebody", name="showroom"), {"view": "2"})
    assert (again.stable, again.replaced) == (("view v2",), ())
    assert [registry.tags("view", number) for number in "123"] == before


def test_what_a_killed_deployer_left_unsaid_is_said_the_next_time(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    told = json.dumps(revision(2).stable())  # killed before it came to version 1
    registry.client.set_model_version_tag(f"{registry.fleet.name}.view", "2", "coachworks.deployed.cars.showroom", told)
    record_deployed(registry.fleet, revision(3), {"view": "3"})
    assert [said(registry, "view", number)["state"] for number in "123"] == ["replaced", "replaced", "stable"]


def test_two_releases_do_not_mix(registry):
    record_deployed(registry.fleet, revision(1), {"view": "1"})
    record_deployed(registry.fleet, revision(1, namespace="staging"), {"view": "2"})
    assert said(registry, "view", "1")["state"] == "stable"
    assert said(registry, "view", "2", ("staging", "showroom"))["state"] == "stable"
    assert said(registry, "view", "2") is None


def test_a_version_that_mlflow_no_longer_holds_is_told_not_fatal(registry):
    recorded = record_deployed(registry.fleet, revision(1), {"view": "9", "light": "1", "gone": "1"})
    assert (recorded.stable, recorded.unknown) == (("light v1",), ("view v9", "gone v1"))


@pytest.mark.parametrize("value", ["", "{", "[]", '{"state": "odd"}'])
def test_a_tag_that_cannot_be_read_counts_as_deployed(value):
    tags = {"coachworks.deployed.cars.showroom": value, "other": "x"}
    assert deployments_of(tags) == {("cars", "showroom"): {"state": "stable"}}
