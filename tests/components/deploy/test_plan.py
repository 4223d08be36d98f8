"""What a deployment would change, told before anything is: versions, objects, lines, and nothing secret."""

from pathlib import Path
from typing import Any

import pytest
from registered import fleet_of
from released import Showroom

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from components.deploy.plan import HIDDEN, Plan, PlannedSkill, plan
from components.deploy.releasing import Wish, aim
from deploy_values import fleet

IMAGE = "acme/baked:1"
WISH = Wish(image=IMAGE)
SHARED, OWN = {"view": {}, "wheel": {}}, {"view": {}, "wheel": {"layout": "dedicated"}}
SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
data: {{password: {told}}}
stringData: {{token: {told}}}
"""


@pytest.fixture
def released(showroom: Showroom) -> Showroom:
    """Version 1 of both skills is registered, champion and released."""
    for skill in ("view", "wheel"):
        showroom.add(skill, "champion")
    release(showroom)
    return showroom


def release(showroom: Showroom, **changed: Any) -> None:
    values = aim(showroom.site(changed_fleet(showroom, **changed)), WISH).values or pytest.fail("nothing to release")
    showroom.helm.upgrade(values, "released")


def changed_fleet(showroom: Showroom, **changed: Any) -> Fleet:
    return fleet(store=showroom.store.uri, **changed)


def planned(showroom: Showroom, wish: Wish = WISH, **changed: Any) -> Plan:
    return plan(showroom.site(changed_fleet(showroom, **changed)), wish)


def lines(found: Plan) -> tuple[set[str], set[str]]:
    """What the diff removes and what it adds, without the indentation."""
    told = [line for line in found.diff.splitlines() if not line.startswith(("---", "+++"))]
    gone, come = ({line[1:].strip() for line in told if line.startswith(mark)} for mark in "-+")
    return gone, come


def test_the_first_installation_adds_every_object(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    showroom.add("wheel", "champion")
    found = planned(showroom)
    assert found.skills == {
        "view": PlannedSkill(None, "1", None, "shared"),
        "wheel": PlannedSkill(None, "1", None, "dedicated"),
    }
    assert set(found.objects.values()) == {"+"}
    assert {"Deployment showroom-shared", "Service view", "Service ai-wheel"} <= set(found.objects)
    assert found.stages == ("install without traffic, smoke test, open",)
    assert (found.release, found.namespace) == ("showroom", "models")
    assert showroom.helm.made == []


def test_the_same_again_is_nothing_to_do(released: Showroom) -> None:
    found = planned(released)
    assert not found.changes
    assert (found.objects, found.stages, found.diff) == ({}, (), "")
    assert found.skills["view"] == PlannedSkill("1", "1", "shared", "shared")


def test_a_new_version_is_a_canary_and_its_digest_a_line(released: Showroom) -> None:
    released.add("wheel", "champion")
    found = planned(released)
    assert found.skills["wheel"] == PlannedSkill("1", "2", "dedicated", "dedicated")
    assert found.stages == ("canary, smoke test, join the Services, bake, promote",)
    assert found.objects["Deployment showroom-dedicated-wheel"] == "~"
    first, second = (released.registry.tags("wheel", number)["head_digest"] for number in "12")
    gone, come = lines(found)
    assert any(first in line for line in gone)
    assert any(second in line for line in come)
    assert len(released.helm.made) == 1


def test_another_image_is_a_line(released: Showroom) -> None:
    found = planned(released, Wish(image="acme/baked:2"))
    gone, come = lines(found)
    assert "image: acme/baked:1" in gone
    assert "image: acme/baked:2" in come
    assert found.stages == ("canary, smoke test, join the Services, bake, promote",)


def test_a_canary_without_a_bake_is_told_without_one(released: Showroom) -> None:
    found = planned(released, Wish(image="acme/baked:2"), canary={"bakeSeconds": 0})
    assert found.stages == ("canary, smoke test, promote",)


def test_another_layout_adds_pods_before_it_switches_services(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    showroom.add("wheel", "champion")
    release(showroom, skills=SHARED)
    found = planned(showroom, skills=OWN)
    assert found.skills["wheel"] == PlannedSkill("1", "1", "shared", "dedicated")
    assert found.objects["Deployment showroom-dedicated-wheel"] == "+"
    assert found.stages[0] == "add pods in the new layout, wait, switch Services and remove what they left"
    gone, come = lines(found)
    assert "coachworks.dev/group: shared" in gone
    assert "coachworks.dev/group: wheel" in come


def test_what_renews_no_pod_needs_no_canary(released: Showroom) -> None:
    other = {"view": {}, "wheel": {"layout": "dedicated", "replicas": 3, "port": 9999, "serviceName": "ai-wheel"}}
    found = planned(released, skills=other)
    assert found.objects["Service ai-wheel"] == "~"
    assert "port: 9999" in lines(found)[1]
    assert found.stages == ("replace",)


def test_a_skill_that_leaves_the_fleet_is_removed(released: Showroom) -> None:
    found = planned(released, skills={"view": {}})
    assert found.skills["wheel"] == PlannedSkill("1", None, "dedicated", None)
    assert found.objects["Service ai-wheel"] == found.objects["Deployment showroom-dedicated-wheel"] == "-"


def test_nothing_secret_is_shown(released: Showroom, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = released.helm.manifest(), released.helm.template
    gone = SECRET.format(name="store", told="b2xkLXMzY3IzdA==")
    come = SECRET.format(name="tracking", told="bmV3LXMzY3IzdA==")
    monkeypatch.setattr(released.helm, "manifest", lambda revision=None: before + gone)
    monkeypatch.setattr(released.helm, "template", lambda values: after(values) + come)
    found = planned(released)
    assert (found.objects["Secret store"], found.objects["Secret tracking"]) == ("-", "+")
    assert "s3cr3t" not in found.diff
    assert "XMzY3Iz" not in found.diff
    assert lines(found)[1] >= {f"password: {HIDDEN}", f"token: {HIDDEN}"}


def test_what_is_left_out_is_told(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    found = planned(showroom)
    assert list(found.skills) == ["view"]
    assert "no model 'showroom.wheel' is registered" in found.left_out["wheel"]


def test_where_all_awaits_approval_nothing_would_be_done(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    found = plan(showroom.site(fleet_of(Path(showroom.store.uri))), WISH)
    assert (found.skills, found.stages, found.changes) == ({}, (), False)
    assert "coachworks approve view 1" in found.awaiting["view"]


def test_a_version_is_planned_in_place_of_the_champion(released: Showroom) -> None:
    released.add("wheel")
    found = planned(released, Wish(image=IMAGE, pinned={"wheel": "2"}))
    assert found.skills["wheel"].after == "2"
    assert found.skills["view"].after == "1"


def test_a_version_of_no_skill_of_the_fleet_is_refused(released: Showroom) -> None:
    with pytest.raises(InvalidConfigError, match=r"skill of the fleet; got 'wheels'. Its skills: view, wheel"):
        planned(released, Wish(image=IMAGE, pinned={"wheels": "1"}))


def test_a_version_that_is_not_there_is_refused(released: Showroom) -> None:
    with pytest.raises(NotFoundError, match=r"'showroom.wheel' has no version '7'"):
        planned(released, Wish(image=IMAGE, pinned={"wheel": "7"}))


def test_a_folder_as_store_is_refused_for_pods_cannot_reach_it(released: Showroom) -> None:
    with pytest.raises(InvalidConfigError, match=r"`spec.store: s3://bucket/prefix`; got .*`coachworks deploy --image"):
        planned(released, Wish())
