"""Deployments that would take a Service away, or one that belongs to another release, are refused: no request fails."""

import json

import pytest
from load import Load
from serving_fleet import SERVICES, SHORT_S, ServingFleet

from lab import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def words(text: str) -> str:
    return " ".join(text.split())


def services(served: ServingFleet) -> set[str]:
    return {each["metadata"]["name"] for each in served.get("services")}


def test_a_renamed_skill_is_refused_under_traffic_and_goes_only_by_its_name(served: ServingFleet, load: Load) -> None:
    revision = served.history()[-1]["revision"]
    served.tell(names={"image-quality": "sharpness"}, soak_s=SHORT_S)
    reason = "image-quality (Service ai-image-quality:9722, v1): the fleet file has no such skill."
    with load.counted("a renamed skill: refused") as counted:
        plan = served.coachworks("deploy", "--plan")
        refused = served.deploy(expect=1)
    assert plan.returncode == 1
    assert reason in words(plan.stdout)
    assert reason in words(refused.output)
    assert "`coachworks deploy --remove image-quality`" in words(refused.output)
    assert served.history()[-1]["revision"] == revision
    assert set(counted.by_version) == set(SERVICES)
    assert not counted.failures

    with load.counted("the same, allowed") as counted:
        done = served.deploy("--remove", "image-quality")
    counted.note = done.stages
    assert done.versions == {"image-content": "1"}
    assert "ai-image-quality" not in services(served)
    assert {line["skill"] for line in counted.failures} <= {"image-quality"}

    with load.counted("rollback, which brings it back"):
        assert served.deploy(command="rollback").versions == dict.fromkeys(SERVICES, "1")
    until("both skills to answer", lambda: not load.for_(3, "after it").failures, within_s=60)


def test_services_of_another_release_are_noticed_before_helm_is_asked(served: ServingFleet, load: Load) -> None:
    served.tell(release="second")
    with load.counted("a second release of the same Services") as counted:
        plan = served.coachworks("deploy", "--plan")
        refused = served.deploy(expect=2)
    taken = f"Service ai-image-quality belongs to the Helm release {served.name!r}."
    assert plan.returncode == 1
    assert taken in words(plan.stdout)
    assert f"names are taken in the namespace {served.name!r}: " in words(refused.output)
    assert f"{taken} Choose another name with `serving: {{serviceName: …}}` of image-quality" in words(refused.output)
    releases = json.loads(served.lab.call("helm", "list", "-n", served.name, "-o", "json"))
    assert [each["name"] for each in releases] == [served.name]
    assert not counted.failures
