"""deploy as the pipeline's step: its result, what is not done twice, and what a run remembers."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from registered import fleet_of
from released import Answers, Showroom, answering

from coachworks.context import Context, open_context
from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.markdown_text import markdown
from coachworks.result import Result
from coachworks.results import NotDoneError, produce
from coachworks.task import Task
from components.deploy import request
from components.deploy.config import DeployConfig
from components.deploy.dashboard import show
from components.deploy.report import DeployReport
from components.deploy.rollout import DeployError
from components.deploy.step import deploy
from deploy_values import fleet

SETTINGS = DeployConfig(timeout_s=5)
RUN = "20260101-000000-abcdef"


@pytest.fixture
def document(showroom: Showroom, monkeypatch: pytest.MonkeyPatch) -> str:
    """Key of a result of document; pods hold their models, so that a folder will do as store."""
    monkeypatch.setattr(request, "Helm", lambda *_, **__: showroom.helm)
    monkeypatch.setattr(request, "chart_values", _in_image(request.chart_values))
    return produce("document", {}, lambda _: {}, context=Context(showroom.store), code="test").key


def _in_image(chart_values: Any) -> Any:
    def call(*arguments: Any, image: str, model_image: bool) -> Any:
        return chart_values(*arguments, image=image, model_image=True)

    return call


@pytest.fixture
def answers(showroom: Showroom) -> Iterator[Answers]:
    """Version 1 of `view`, champion; pods that answer with it."""
    showroom.add("view", "champion")
    pods = Answers(view=("a", "1"))
    with answering(showroom.server, pods):
        yield pods


def fleet_in(showroom: Showroom, skills: dict[str, Any] | None = None) -> Fleet:
    settings = {"namespace": "models", "image": "acme/models:1", "canary": {"soakSeconds": 0}}
    return fleet(store=showroom.store.uri, skills=skills or {"view": {}}, **settings)


def page_of(result: Result[DeployReport], tmp_path: Any) -> str:
    page = SimpleNamespace(path=str(tmp_path / "page.md"), metadata={}, name="page", uri="")
    metrics = SimpleNamespace(path=str(tmp_path / "metrics"), metadata={}, log_metric=lambda name, value: None)
    show(Task(fleet(), Context(result.store), result), metrics, page)
    return (tmp_path / "page.md").read_text("utf-8")


def test_it_continues_from_a_result_that_is_there(showroom: Showroom, document: str) -> None:
    with pytest.raises(NotFoundError, match="no result of the step 'document' under 'none'"):
        deploy(fleet_in(showroom), "none")


def test_a_dry_run_asks_no_cluster(showroom: Showroom, document: str) -> None:
    showroom.server.down = True
    with pytest.raises(NotDoneError, match="deploy is not done: it depends on the state of the cluster"):
        deploy(fleet_in(showroom), document, context=open_context(fleet_in(showroom), dry=True))


def test_what_is_in_place_gives_the_same_result_again(showroom: Showroom, document: str, answers: Answers) -> None:
    first = deploy(fleet_in(showroom), document, config=SETTINGS)
    assert (first.report.status, first.inputs["document"]) == ("deployed", document)
    second, third = (deploy(fleet_in(showroom), document, config=SETTINGS) for _ in range(2))
    assert (second.report.status, second.reused) == ("unchanged", False)
    assert (third.key, third.reused) == (second.key, True)
    assert len(showroom.helm.made) == 2


def test_what_somebody_changed_since_is_put_right(showroom: Showroom, document: str, answers: Answers) -> None:
    for _ in range(2):
        deploy(fleet_in(showroom), document, config=SETTINGS)
    showroom.helm.upgrade({**showroom.helm.values(), "drainSeconds": 99, "releaseDigest": "by hand"}, "by hand")
    again = deploy(fleet_in(showroom), document, config=SETTINGS)
    assert (again.report.status, again.reused) == ("deployed", False)
    assert showroom.helm.values().get("drainSeconds") is None


def test_what_the_chart_keeps_for_pods_of_before_is_no_change(
    showroom: Showroom, document: str, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        deploy(fleet_in(showroom), document, config=SETTINGS)
    kept = {"kind": "ConfigMap", "metadata": {"name": "earlier", "annotations": {"coachworks.dev/kept": "yes"}}}
    manifest = f"{showroom.helm.manifest()}\n---\n{json.dumps(kept)}\n"
    monkeypatch.setattr(showroom.helm, "manifest", lambda: manifest)
    again = deploy(fleet_in(showroom), document, config=SETTINGS)
    assert (again.report.status, again.reused) == ("unchanged", True)


def test_another_chart_is_another_release_of_the_same_values(
    showroom: Showroom, document: str, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        deploy(fleet_in(showroom), document, config=SETTINGS)
    monkeypatch.setattr(showroom.helm, "manifest", lambda: "")  # what an older chart has made
    again = deploy(fleet_in(showroom), document, config=SETTINGS)
    assert (again.report.status, again.reused) == ("deployed", False)


def test_what_did_not_prove_itself_is_not_tried_again_in_the_same_run(
    showroom: Showroom, document: str, answers: Answers
) -> None:
    answers.skills["view"] = ("b", "1")
    with pytest.raises(DeployError, match="failed the smoke test") as first:
        deploy(fleet_in(showroom), document, config=SETTINGS, context=open_context(fleet_in(showroom), run=RUN))
    showroom.server.asked.clear()
    with pytest.raises(DeployError) as second:
        deploy(fleet_in(showroom), document, config=SETTINGS, context=open_context(fleet_in(showroom), run=RUN))
    assert str(second.value) == str(first.value)
    assert not [asked for asked in showroom.server.asked if "portforward" in asked or "leases" in asked]
    answers.skills["view"] = ("a", "1")
    later = deploy(
        fleet_in(showroom),
        document,
        config=SETTINGS,
        context=open_context(fleet_in(showroom), run="20260102-000000-abcdef"),
    )
    assert later.report.status == "deployed"


def test_the_dashboard_shows_what_was_deployed_and_how(
    showroom: Showroom, document: str, answers: Answers, tmp_path: Any
) -> None:
    page = page_of(deploy(fleet_in(showroom), document, config=SETTINGS), tmp_path)
    assert page.startswith("# Deployed\n")
    assert "Helm release `showroom` in the namespace `models`, revision 2" in page
    assert "| view | 1 | – | shared | view:8080 |" in page
    assert "| smoke test | – |" in page


def test_what_would_not_be_answered_any_more_is_refused_in_the_report_and_a_person_allows_it(
    showroom: Showroom, document: str, answers: Answers, tmp_path: Any
) -> None:
    deploy(fleet_in(showroom), document, config=SETTINGS)
    showroom.add("wheel", "champion")
    renamed = fleet_in(showroom, {"wheel": {}})
    refused = deploy(renamed, document, config=SETTINGS)
    assert (refused.report.status, refused.report.revision, list(refused.report.skills)) == ("refused", 2, ["view"])
    reason = refused.report.refused["view"]
    assert reason.startswith("view (Service view:8080, v1): the fleet file has no such skill. Put it back. If its name")
    assert reason.endswith("To let it go: `coachworks deploy --remove view`.")
    page = page_of(refused, tmp_path)
    assert page.startswith("# Refused: something would not be answered any more\n")
    assert f"* {markdown(reason)}" in page
    assert len(showroom.helm.made) == 2
    assert not deploy(renamed, document, config=SETTINGS).reused, "it may be allowed in the meantime"


def test_the_dashboard_shows_what_awaits_approval(showroom: Showroom, document: str, tmp_path: Any) -> None:
    showroom.add("view", "champion")
    page = page_of(deploy(fleet_of(showroom.store.uri), document, config=SETTINGS), tmp_path)
    assert page.startswith("# Awaiting approval\n")
    assert "* **view**: 'view' is critical, and its version 1 is not approved" in page
    assert "| Skill |" not in page
    assert "## Left out" in page
    assert "* light: no model 'showroom.light' is registered" in page
