"""From the champions to what answers, and back: registry, store, lease, pods, and what MLflow is told of it.

Helm's history is kept in memory, and the API server is one in this process; its pods answer as each test says.
"""

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from registered import fleet_of
from released import Answers, Showroom, answering

from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from components.deploy.cluster.lease import BusyError, hold_lease
from components.deploy.config import DeployConfig
from components.deploy.models.deployment_tags import deployments_of
from components.deploy.releasing import Wish, open_site, release_fleet, roll_back, who
from components.deploy.report import DeployReport
from components.deploy.rollout import DeployError
from components.deploy.target.values import versions, with_canary
from deploy_values import fleet

WISH = Wish(image="acme/baked:1", by="Ada")
SKILLS: dict[str, Any] = {"view": {}, "wheel": {"serviceName": "ai-wheel", "port": 9722}}


@pytest.fixture
def answers(showroom: Showroom) -> Iterator[Answers]:
    """Version 1 of both skills, champion; pods that answer with it."""
    for skill in SKILLS:
        showroom.add(skill, "champion")
    told = Answers(view=("a", "1"), wheel=("a", "1"))
    with answering(showroom.server, told):
        yield told


def deploy(showroom: Showroom, wish: Wish = WISH, **settings: Any) -> DeployReport:
    given = fleet(store=showroom.store.uri, skills=SKILLS, canary={"bakeSeconds": 1} | settings)
    return release_fleet(showroom.site(given), wish, config=DeployConfig(timeout_s=5))


def back(showroom: Showroom, revision: int | None = None) -> DeployReport:
    return roll_back(showroom.site(), Wish(by="Grace"), revision, config=DeployConfig(timeout_s=5))


def said(showroom: Showroom, skill: str, number: str) -> Any:
    return deployments_of(showroom.registry.tags(skill, number)).get(("models", "showroom"))


# -- where


def test_a_release_is_called_like_the_fleet_in_the_context_s_namespace(showroom: Showroom) -> None:
    site = open_site(fleet())
    assert (site.release, site.cluster.namespace, site.helm.namespace) == ("showroom", "of-context", "of-context")


def test_the_fleet_file_names_them_and_the_command_goes_before_it(showroom: Showroom) -> None:
    given = fleet(namespace="cars", release="fleet")
    assert (open_site(given).release, open_site(given).cluster.namespace) == ("fleet", "cars")
    assert open_site(given, "elsewhere").cluster.namespace == "elsewhere"


def test_a_fleet_s_name_that_is_too_long_for_helm_is_refused(showroom: Showroom, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match=r"at most 40 characters; got 'c{41}'. Set `spec.deploy.release`"):
        open_site(fleet_of(tmp_path, name="c" * 41))
    open_site(fleet_of(tmp_path, name="c" * 40))


def test_without_a_kubeconfig_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(InvalidConfigError, match=r"no Kubernetes cluster is configured. Set KUBECONFIG"):
        open_site(fleet())


def test_a_user_without_a_name_is_called_after_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who().startswith("coachworks@")


# -- forward


def test_the_first_installation_answers_as_evaluation_recorded(showroom: Showroom, answers: Answers) -> None:
    report = deploy(showroom)
    assert (report.status, report.revision, report.smoke) == ("deployed", 2, 2)
    wheel = report.skills["wheel"]
    assert (wheel.version, wheel.before, wheel.layout, wheel.service, wheel.port) == (
        "1",
        None,
        "shared",
        "ai-wheel",
        9722,
    )
    assert wheel.digest == showroom.registry.tags("wheel", "1")["head_digest"]
    told = said(showroom, "view", "1")
    assert (told["state"], told["revision"], told["by"]) == ("stable", 2, "Ada")


def test_the_same_again_is_unchanged_and_makes_no_revision(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    again = deploy(showroom)
    assert (again.status, again.revision, again.stages) == ("unchanged", 2, ())
    assert again.skills["view"].before == "1"


def test_a_new_version_holds_a_bake_and_takes_over(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("a", "2")
    report = deploy(showroom)
    assert report.status == "deployed"
    assert (report.skills["wheel"].before, report.skills["wheel"].version) == ("1", "2")
    assert {row.track for row in report.bake} == {"stable", "canary"}
    assert report.seen
    assert said(showroom, "wheel", "1")["state"] == "replaced"
    assert said(showroom, "wheel", "2")["state"] == "stable"


def test_a_version_that_answers_otherwise_than_recorded_does_not(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("b", "2")
    with pytest.raises(DeployError, match=r"(?s)failed the smoke test: 1 of 2 answers.*answers again: view v1, wheel"):
        deploy(showroom)
    assert versions(showroom.helm.values()) == {"view": "1", "wheel": "1"}
    assert said(showroom, "wheel", "2") is None


def test_a_pinned_version_is_released_whatever_is_champion(showroom: Showroom, answers: Answers) -> None:
    showroom.add("wheel", "champion")
    pinned = Wish(image=WISH.image, pinned={"wheel": "1"})
    assert deploy(showroom, pinned).skills["wheel"].version == "1"


def test_what_is_being_deployed_is_left_alone(showroom: Showroom, answers: Answers) -> None:
    with hold_lease(showroom.cluster, "grace@laptop"), pytest.raises(BusyError, match="changed by grace@laptop"):
        deploy(showroom)
    assert showroom.helm.made == []


def test_where_no_skill_can_be_released_nothing_is(showroom: Showroom) -> None:
    with pytest.raises(DataError, match=r"no skill of the fleet can be released:\n  view: no model"):
        deploy(showroom)
    assert showroom.helm.made == []


def test_where_all_awaits_approval_nothing_is_released(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    report = release_fleet(showroom.site(fleet_of(Path(showroom.store.uri))), WISH)
    assert (report.status, report.revision, report.release, dict(report.skills)) == ("awaiting-approval", 0, "", {})
    assert "coachworks approve view 1" in report.awaiting["view"]
    assert showroom.helm.made == []


def test_what_answers_stays_and_is_told_where_all_else_awaits_approval(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.registry.client.delete_registered_model("showroom.wheel")
    values = showroom.helm.values()
    showroom.helm.upgrade({**values, "skills": {"wheel": values["skills"]["wheel"]}}, "only wheel")
    report = release_fleet(showroom.site(fleet_of(Path(showroom.store.uri))), WISH)
    assert (report.status, report.revision, list(report.skills)) == ("awaiting-approval", 3, ["wheel"])


# -- back


def test_where_nothing_is_released_there_is_no_way_back(showroom: Showroom) -> None:
    with pytest.raises(NotFoundError, match="nothing is released as 'showroom' in the namespace 'models'"):
        back(showroom)


def test_the_first_release_has_nothing_before_it(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    with pytest.raises(NotFoundError, match="nothing but the present version was released as 'showroom': there is no"):
        back(showroom)


def test_back_is_to_what_was_in_place_before_without_a_canary(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("a", "2")
    deploy(showroom, bakeSeconds=0)
    answers.silent = True
    report = back(showroom)
    assert (report.skills["wheel"].before, report.skills["wheel"].version) == ("2", "1")
    assert [stage.name for stage in report.stages] == ["replace"]
    told = said(showroom, "wheel", "2")
    assert (told["state"], told["replaced_by"]["by"]) == ("replaced", "Grace")
    assert showroom.registry.client.get_model_version_by_alias("showroom.wheel", "champion").version == 2


def test_a_revision_that_helm_does_not_keep_is_told_with_those_that_it_does(
    showroom: Showroom, answers: Answers
) -> None:
    deploy(showroom)
    with pytest.raises(NotFoundError, match=r"keeps no revision 9; it keeps 1, 2. `helm history showroom` tells of"):
        back(showroom, 9)


def test_a_revision_on_the_way_is_no_release_to_go_back_to(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    values = showroom.helm.values()
    showroom.helm.upgrade(with_canary(values, values, {"shared": 1}, "all"), "canary")
    showroom.helm.upgrade(values, "finished")
    with pytest.raises(InvalidConfigError, match=r"revision 3 was a stage on the way, no release. `helm history show"):
        back(showroom, 3)


@pytest.mark.parametrize("timeout_s", [0, -1, True, 1.5])
def test_a_timeout_is_a_whole_number_of_seconds(timeout_s: Any) -> None:
    with pytest.raises(InvalidConfigError, match=f"timeout_s must be an integer of at least 1; got {timeout_s!r}"):
        DeployConfig(timeout_s=timeout_s)
