"""Tables of a release: the report of a deployment, the plan of one, and the status."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console

from coachworks.cli.release_table import show_plan, show_release_status, show_report
from components.deploy.cluster.field_changes import FieldChange
from components.deploy.cluster.ownership import Conflict
from components.deploy.plan import DeploymentPlan, PlannedSkill
from components.deploy.removals import Removal
from components.deploy.report import DeployedSkill, DeployReport, Stage, TrackRow
from components.deploy.status import ReleaseStatus, SkillStatus


def shown(show: Callable[..., None], document: Any, *, colours: bool = False, **options: Any) -> str:
    system = "standard" if colours else None
    console = Console(file=io.StringIO(), width=140, force_terminal=colours, color_system=system)
    show(document, console, **options)
    return console.file.getvalue()  # type: ignore[attr-defined]


def deployed(version: str, before: str | None, layout: str, service: str, port: int) -> DeployedSkill:
    return DeployedSkill(version=version, before=before, digest="ab" * 32, layout=layout, service=service, port=port)


REPORT = DeployReport(
    status="deployed",
    namespace="models",
    release="showroom",
    revision=7,
    release_digest="0a1b2c3d4e5f",
    skills={
        "view": deployed("4", "3", "shared", "view", 8080),
        "wheel": deployed("1", None, "dedicated", "ai-wheel", 9722),
    },
    awaiting={},
    left_out={"lamp": "no [bold]model[/bold] is registered"},
    stages=(Stage("canary", 4, 3.4), Stage("soak", 0, 20.0)),
    soak=(TrackRow("stable", 90, 0, 0.1, 0.25), TrackRow("canary", 0, 0, None, None)),
)


def cells(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def test_a_report_shows_versions_services_the_soak_and_skills_that_are_left_out() -> None:
    text = shown(show_report, REPORT)
    assert cells(text, "view") == ["view", "v4", "v3", "shared", "view.models.svc:8080"]
    assert cells(text, "wheel") == ["wheel", "v1", "–", "dedicated", "ai-wheel.models.svc:9722"]
    assert cells(text, "stable") == ["stable", "90", "0", "100", "ms", "250", "ms"]
    assert cells(text, "canary") == ["canary", "0", "0", "–", "–"]
    assert "canary 3 s, soak 20 s" in text
    assert "lamp: no [bold]model[/bold] is registered" in text
    assert text.endswith("Deployed: release showroom, revision 7, namespace models.\n")


def test_a_report_of_nothing_is_one_line() -> None:
    empty = replace(REPORT, status="unchanged", revision=0, skills={}, left_out={}, stages=(), soak=())
    assert shown(show_report, empty) == "Nothing to do: nothing is deployed, namespace models.\n"


def planned(**changed: Any) -> DeploymentPlan:
    plan = DeploymentPlan(
        release="showroom",
        namespace="models",
        skills={},
        awaiting={},
        left_out={},
        stages=(),
        objects={},
        diff="",
    )
    return replace(plan, **changed)


def test_a_plan_shows_versions_layouts_objects_and_stages() -> None:
    plan = planned(
        skills={
            "view": PlannedSkill("3", "4", "shared", "dedicated", "view:8080", "view:8080"),
            "wheel": PlannedSkill(None, "1", None, "shared", None, "ai-wheel:9722"),
            "lamp": PlannedSkill("2", None, "shared", None, "lamp:8080", None),
        },
        objects={"Service lamp": "-", "Deployment showroom-shared": "~"}
        | {f"Service new-{number}": "+" for number in range(35)},
        diff="--- a\n+++ b\n-old: [1]\n+new: [2]\n",
        stages=("canary, smoke test, promote",),
    )
    text = shown(show_plan, plan)
    assert cells(text, "view") == ["view", "v3", "v4", "shared", "→", "dedicated", "view:8080"]
    assert cells(text, "wheel") == ["wheel", "–", "v1", "shared", "ai-wheel:9722"]
    assert cells(text, "lamp") == ["lamp", "v2", "–", "shared", "lamp:8080"]
    listed = [line for line in text.splitlines() if line[:2] in {"+ ", "~ ", "- "}]
    assert listed == [
        "+ Service      35  new-0, new-1, new-2, new-3 and 31 more",
        "~ Deployment    1  showroom-shared",
        "- Service       1  lamp",
    ]
    assert "+new: [2]" not in text
    assert "`coachworks deploy --diff` shows the changed lines." in text
    assert "+new: [2]" in shown(show_plan, plan, diff=True)
    assert text.rstrip().endswith("Plan: canary, smoke test, promote.")


CHANGE = FieldChange(
    object="Deployment showroom-shared",
    field="spec.template.spec.containers[answers].env[HANDMADE].value",
    live='"yes"',
    released=None,
    manager="kubectl-set",
    at="2026-11-28T19:09:36Z",
)
SENTENCE = (
    "Deployment showroom-shared: spec.template.spec.containers[answers].env[HANDMADE].value was added: "
    '"yes" (kubectl-set, 2026-11-28T19:09:36Z)'
)


def test_a_plan_shows_what_was_changed_by_hand_and_what_could_not_be_compared() -> None:
    text = shown(show_plan, planned(drift=(CHANGE,), not_compared={"Service view": "no [dry] run"}))
    assert f"Changed by hand since the last revision; the deployment takes it back:\n  {SENTENCE}\n" in text
    assert "Service view could not be compared: no [dry] run" in text
    assert "Nothing to do" not in text


def test_a_report_shows_what_was_taken_back() -> None:
    assert f"Taken back: {SENTENCE}\n" in shown(show_report, replace(REPORT, mended=[SENTENCE]))


REMOVAL = Removal(name="lamp", service="lamp", port=8080, version="2", reason="it is [gone].", way_out="Put it back.")


def test_a_plan_shows_in_red_what_would_go_where_there_are_colours() -> None:
    skills = {"view": PlannedSkill("3", "3", "shared", "shared", *["view:8080"] * 2)}
    skills["lamp"] = PlannedSkill("2", None, "shared", None, "lamp:8080", None)
    plan = planned(skills=skills, objects={"Service lamp": "-"}, removals=(REMOVAL,))
    refused = replace(plan, refusal=f"it answers today:\n  {REMOVAL}")
    red = [line for line in shown(show_plan, refused, colours=True).splitlines() if re.search(r"\x1b\[[\d;]*31m", line)]
    assert [re.sub(r"\x1b\[[\d;]*m", "", line).split()[:3] for line in red] == [
        ["lamp", "v2", "–"],
        ["-", "Service", "1"],
        ["Refused:", "it", "answers"],
        ["lamp", "(Service", "lamp:8080,"],
    ]
    assert "\x1b" not in shown(show_plan, refused)
    assert f"Removed: {REMOVAL}\n" in shown(show_plan, plan)
    assert "lamp (Service lamp:8080, v2): it is [gone]. Put it back." in shown(show_plan, refused)
    conflict = Conflict(kind="Service", name="view", owner="belongs to [boats]", way_out="Choose another.")
    assert f"Taken: {conflict}\n" in shown(show_plan, replace(refused, conflicts=(conflict,)))


def test_a_plan_without_changes_is_one_sentence_after_the_skills_that_await_approval() -> None:
    text = shown(show_plan, planned(awaiting={"wheel": "approve it"}))
    assert "wheel: approve it" in text
    assert text.endswith("Nothing to do: release showroom in the namespace models is up to date.\n")


def test_the_status_of_a_release_shows_pods_canaries_and_problems() -> None:
    skill = SkillStatus(
        name="view",
        version="4",
        digest="ab" * 32,
        layout="shared",
        service="view",
        port=8080,
        ready=1,
        desired=2,
        canary=1,
    )
    status = ReleaseStatus(
        release="showroom",
        namespace="models",
        revision=7,
        description="deployed, view 3 → 4",
        skills=(skill,),
        problems={"showroom-shared-1": "ImagePullBackOff: [x]"},
    )
    text = shown(show_release_status, status)
    assert text.startswith("Release showroom, namespace models, revision 7: deployed, view 3 → 4\n")
    assert cells(text, "view") == ["view", "v4", "abababababab", "shared", "1/2", "+1", "canary", "view:8080"]
    assert "showroom-shared-1: ImagePullBackOff: [x]" in text
