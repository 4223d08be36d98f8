"""The tables of a release: what a deployment did, what it would do, what answers now."""

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from coachworks.cli.release_table import show_plan, show_report, show_standing
from components.deploy.plan import Plan, PlannedSkill
from components.deploy.status import Standing, StandingSkill


def shown(show: Callable[..., None], *given: Any) -> str:
    console = Console(file=io.StringIO(), width=140)
    show(*given, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


REPORT: dict[str, Any] = {
    "status": "deployed",
    "namespace": "models",
    "name": "showroom",
    "revision": 7,
    "skills": {
        "view": {"version": "4", "before": "3", "layout": "shared", "service": "view", "port": 8080},
        "wheel": {"version": "1", "before": None, "layout": "dedicated", "service": "ai-wheel", "port": 9722},
    },
    "awaiting": {},
    "left_out": {"lamp": "no [bold]model[/bold] is registered"},
    "stages": [{"name": "canary", "revision": 4, "seconds": 3.4}, {"name": "bake", "revision": 0, "seconds": 20.0}],
    "bake": [
        {"track": "stable", "requests": 90, "errors": 0, "p50_s": 0.1, "p95_s": 0.25},
        {"track": "canary", "requests": 0, "errors": 0, "p50_s": None, "p95_s": None},
    ],
}
SITE = type("Site", (), {"cluster": type("Cluster", (), {"namespace": "models"})})


def cells(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def test_a_report_tells_versions_services_bake_and_what_was_left_out() -> None:
    text = shown(show_report, REPORT, SITE)
    assert cells(text, "view") == ["view", "v4", "v3", "shared", "view.models.svc:8080"]
    assert cells(text, "wheel") == ["wheel", "v1", "–", "dedicated", "ai-wheel.models.svc:9722"]
    assert cells(text, "stable") == ["stable", "90", "0", "100", "ms", "250", "ms"]
    assert cells(text, "canary") == ["canary", "0", "0", "–", "–"]
    assert "canary 3 s, bake 20 s" in text
    assert "lamp: no [bold]model[/bold] is registered" in text
    assert text.endswith("Deployed: release showroom, revision 7, namespace models.\n")


def test_a_report_of_nothing_is_one_line() -> None:
    empty = {**REPORT, "status": "unchanged", "revision": 0, "skills": {}, "left_out": {}, "stages": [], "bake": []}
    assert shown(show_report, empty, SITE) == "Nothing to do: nothing is released, namespace models.\n"


def planned(**changed: Any) -> Plan:
    facts = {
        "release": "showroom",
        "namespace": "models",
        "skills": {},
        "awaiting": {},
        "left_out": {},
        "stages": (),
        "objects": {},
        "diff": "",
    }
    return Plan(**{**facts, **changed})


def test_a_plan_tells_versions_layouts_objects_and_the_way() -> None:
    text = shown(
        show_plan,
        planned(
            skills={
                "view": PlannedSkill("3", "4", "shared", "dedicated"),
                "wheel": PlannedSkill(None, "1", None, "shared"),
                "lamp": PlannedSkill("2", None, "shared", None),
            },
            objects={"Deployment showroom-shared": "~", "Service lamp": "-"},
            diff="--- a\n+++ b\n-old: [1]\n+new: [2]\n",
            stages=("canary, smoke test, promote",),
        ),
    )
    assert cells(text, "view") == ["view", "v3", "v4", "shared", "→", "dedicated"]
    assert cells(text, "wheel") == ["wheel", "–", "v1", "shared"]
    assert cells(text, "lamp") == ["lamp", "v2", "–", "shared"]
    assert "~ Deployment showroom-shared" in text
    assert "- Service lamp" in text
    assert "+new: [2]" in text
    assert text.rstrip().endswith("It would: canary, smoke test, promote.")


def test_a_plan_without_changes_says_so_and_what_awaits() -> None:
    text = shown(show_plan, planned(awaiting={"wheel": "approve it"}))
    assert "wheel: approve it" in text
    assert text.endswith("Nothing to do: release showroom in the namespace models is just so.\n")


def test_a_release_tells_pods_canaries_and_troubles() -> None:
    skill = StandingSkill(
        name="view",
        version="4",
        digest="ab" * 32,
        layout="shared",
        service="view",
        port=8080,
        ready=1,
        wanted=2,
        canary=1,
    )
    standing = Standing(
        release="showroom",
        namespace="models",
        revision=7,
        description="deployed, view 3 → 4",
        skills=(skill,),
        troubles={"showroom-shared-1": "ImagePullBackOff: [x]"},
    )
    text = shown(show_standing, standing)
    assert text.startswith("Release showroom, namespace models, revision 7: deployed, view 3 → 4\n")
    assert cells(text, "view") == ["view", "v4", "abababababab", "shared", "1/2", "+1", "canary", "view:8080"]
    assert "showroom-shared-1: ImagePullBackOff: [x]" in text
