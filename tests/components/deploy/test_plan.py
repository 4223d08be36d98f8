"""Plan of a deployment: versions, objects, lines, and hidden Secrets."""

from pathlib import Path
from typing import Any

import pytest
from registered import fleet_of
from released import Showroom

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from components.deploy.plan import HIDDEN, DeploymentPlan, PlannedSkill, plan_deployment
from components.deploy.request import DeployRequest, resolve_target
from deploy_values import fleet

IMAGE = "acme/models:1"
REQUEST = DeployRequest(image=IMAGE)
SHARED, OWN = {"view": {}, "wheel": {}}, {"view": {}, "wheel": {"layout": "dedicated"}}
SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
data: {{password: {value}}}
stringData: {{token: {value}}}
"""
DEPLOYMENT = "/apis/apps/v1/namespaces/models/deployments/showroom-shared"


def deployment_of(showroom: Showroom) -> Any:
    """Return the Deployment of shared pods as it is on the cluster."""
    return showroom.server[DEPLOYMENT]


@pytest.fixture
def released(showroom: Showroom) -> Showroom:
    """Version 1 of both skills is registered, champion and released."""
    for skill in ("view", "wheel"):
        showroom.add(skill, "champion")
    release(showroom)
    return showroom


def release(showroom: Showroom, **changed: Any) -> None:
    context = showroom.context(changed_fleet(showroom, **changed))
    values = resolve_target(context, REQUEST, None).values or pytest.fail("nothing to deploy")
    showroom.helm.upgrade(values.to_json(), "released")


def changed_fleet(showroom: Showroom, **changed: Any) -> Fleet:
    return fleet(store=showroom.store.uri, **changed)


def planned(showroom: Showroom, request: DeployRequest = REQUEST, **changed: Any) -> DeploymentPlan:
    return plan_deployment(showroom.context(changed_fleet(showroom, **changed)), request)


def lines(plan: DeploymentPlan) -> tuple[set[str], set[str]]:
    """Lines that the diff removes, and lines that it adds, without indentation."""
    changed_lines = [line for line in plan.diff.splitlines() if not line.startswith(("---", "+++"))]
    gone, come = ({line[1:].strip() for line in changed_lines if line.startswith(mark)} for mark in "-+")
    return gone, come


def test_the_first_installation_adds_every_object(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    showroom.add("wheel", "champion")
    plan = planned(showroom)
    assert plan.skills == {
        "view": PlannedSkill(None, "1", None, "shared", None, "view:8080"),
        "wheel": PlannedSkill(None, "1", None, "dedicated", None, "ai-wheel:9722"),
    }
    assert set(plan.objects.values()) == {"+"}
    assert {"Deployment showroom-shared", "Service view", "Service ai-wheel"} <= set(plan.objects)
    assert plan.stages == ("install without traffic, smoke test, open",)
    assert (plan.release, plan.namespace) == ("showroom", "models")
    assert showroom.helm.made == []


def test_the_same_again_is_nothing_to_do(released: Showroom) -> None:
    plan = planned(released)
    assert not plan.changes
    assert (plan.objects, plan.stages, plan.diff) == ({}, (), "")
    assert plan.skills["view"] == PlannedSkill("1", "1", "shared", "shared", "view:8080", "view:8080")


def test_a_new_version_is_a_canary_and_its_digest_a_line(released: Showroom) -> None:
    released.add("wheel", "champion")
    plan = planned(released)
    assert plan.skills["wheel"] == PlannedSkill("1", "2", "dedicated", "dedicated", *["ai-wheel:9722"] * 2)
    assert plan.stages == ("canary, smoke test, join the Services, soak, promote",)
    assert plan.objects["Deployment showroom-dedicated-wheel"] == "~"
    first, second = (released.registry.tags("wheel", number)["head_digest"] for number in "12")
    gone, come = lines(plan)
    assert any(first in line for line in gone)
    assert any(second in line for line in come)
    assert len(released.helm.made) == 1


def test_the_target_is_rendered_once(released: Showroom, monkeypatch: pytest.MonkeyPatch) -> None:
    released.add("wheel", "champion")
    rendered = []
    template = released.helm.template

    def count(values: Any) -> str:
        if values["releaseDigest"] != released.helm.values()["releaseDigest"]:
            rendered.append(values)
        return template(values)

    monkeypatch.setattr(released.helm, "template", count)
    assert planned(released).changes
    assert len(rendered) == 1


def test_another_image_is_a_line(released: Showroom) -> None:
    plan = planned(released, DeployRequest(image="acme/models:2"))
    gone, come = lines(plan)
    assert "image: acme/models:1" in gone
    assert "image: acme/models:2" in come
    assert plan.stages == ("canary, smoke test, join the Services, soak, promote",)


def test_a_canary_without_a_soak_has_no_such_stage(released: Showroom) -> None:
    plan = planned(released, DeployRequest(image="acme/models:2"), canary={"soakSeconds": 0})
    assert plan.stages == ("canary, smoke test, promote",)


def test_another_layout_adds_pods_before_it_switches_services(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    showroom.add("wheel", "champion")
    release(showroom, skills=SHARED)
    plan = planned(showroom, skills=OWN)
    assert plan.skills["wheel"] == PlannedSkill("1", "1", "shared", "dedicated", *["wheel:8080"] * 2)
    assert plan.objects["Deployment showroom-dedicated-wheel"] == "+"
    assert plan.stages[0] == "add pods in the new layout, wait, switch Services, remove the pods that they left"
    gone, come = lines(plan)
    assert "coachworks.dev/group: shared" in gone
    assert "coachworks.dev/group: wheel" in come


def test_what_renews_no_pod_needs_no_canary(released: Showroom) -> None:
    other = {"view": {}, "wheel": {"layout": "dedicated", "replicas": 3, "port": 9999, "serviceName": "ai-wheel"}}
    plan = planned(released, skills=other)
    assert plan.objects["Service ai-wheel"] == "~"
    assert "port: 9999" in lines(plan)[1]
    assert plan.stages == ("replace",)


def test_what_was_changed_by_hand_is_planned_to_be_taken_back(released: Showroom) -> None:
    live = deployment_of(released)
    answers = live["spec"]["template"]["spec"]["containers"][0]
    answers["env"].append({"name": "HANDMADE", "value": "yes"})
    plan = planned(released)
    assert plan.changes
    assert plan.objects == {}
    assert [(change.object, change.live, change.released) for change in plan.drift] == [
        ("Deployment showroom-shared", '"yes"', None)
    ]
    assert plan.stages == ("replace", "take back what was changed by hand, one pod after the other")
    assert deployment_of(released) is live, "a plan changes nothing"


def test_what_cannot_be_compared_with_the_release_is_named(released: Showroom) -> None:
    released.server[DEPLOYMENT] = (403, "deployments is forbidden")
    plan = planned(released)
    assert "deployments is forbidden" in plan.not_compared["Deployment showroom-shared"]
    assert not plan.changes


def test_a_skill_that_leaves_the_fleet_is_removed(released: Showroom) -> None:
    plan = planned(released, skills={"view": {}})
    assert plan.skills["wheel"] == PlannedSkill("1", None, "dedicated", None, "ai-wheel:9722", None)
    assert plan.objects["Service ai-wheel"] == plan.objects["Deployment showroom-dedicated-wheel"] == "-"


def test_nothing_secret_is_shown(released: Showroom, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = released.helm.manifest(), released.helm.template
    gone = SECRET.format(name="store", value="b2xkLXMzY3IzdA==")
    come = SECRET.format(name="tracking", value="bmV3LXMzY3IzdA==")
    monkeypatch.setattr(released.helm, "manifest", lambda revision=None: before + gone)
    monkeypatch.setattr(released.helm, "template", lambda values: after(values) + come)
    plan = planned(released)
    assert (plan.objects["Secret store"], plan.objects["Secret tracking"]) == ("-", "+")
    assert "s3cr3t" not in plan.diff
    assert "XMzY3Iz" not in plan.diff
    assert lines(plan)[1] >= {f"password: {HIDDEN}", f"token: {HIDDEN}"}


def test_what_is_left_out_is_told(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    plan = planned(showroom)
    assert list(plan.skills) == ["view"]
    assert "no model 'showroom.wheel' is registered" in plan.left_out["wheel"]


def test_where_all_awaits_approval_nothing_would_be_done(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    plan = plan_deployment(showroom.context(fleet_of(Path(showroom.store.uri))), REQUEST)
    assert (plan.skills, plan.stages, plan.changes) == ({}, (), False)
    assert "coachworks approve view 1" in plan.awaiting["view"]


def test_a_version_is_planned_in_place_of_the_champion(released: Showroom) -> None:
    released.add("wheel")
    plan = planned(released, DeployRequest(image=IMAGE, pinned={"wheel": "2"}))
    assert plan.skills["wheel"].after == "2"
    assert plan.skills["view"].after == "1"


def test_a_version_of_no_skill_of_the_fleet_is_refused(released: Showroom) -> None:
    with pytest.raises(InvalidConfigError, match=r"skill of the fleet; got 'wheels'. Its skills: view, wheel"):
        planned(released, DeployRequest(image=IMAGE, pinned={"wheels": "1"}))


def test_a_version_that_is_not_there_is_refused(released: Showroom) -> None:
    with pytest.raises(NotFoundError, match=r"'showroom.wheel' has no version '7'"):
        planned(released, DeployRequest(image=IMAGE, pinned={"wheel": "7"}))


def test_a_folder_as_store_is_refused_for_pods_cannot_reach_it(released: Showroom) -> None:
    with pytest.raises(InvalidConfigError, match=r"`spec.store: s3://bucket/prefix`; got .*`coachworks deploy --image"):
        planned(released, DeployRequest())
