"""Deployment of the champions, and rollback: registry, store, lease, pods, and tags in MLflow.

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
from coachworks.fleet.model import Fleet
from components.deploy.cluster.lease import BusyError, hold_lease
from components.deploy.config import DeployConfig
from components.deploy.helm.manifests import parse_objects
from components.deploy.models.deployment_tags import deployments_of
from components.deploy.releasing import release_fleet, roll_back
from components.deploy.report import DeployReport
from components.deploy.request import DeployRequest, open_release, own_name
from components.deploy.rollout import DeployError
from components.deploy.target.values import read_values, with_canary
from deploy_values import fleet

REQUEST = DeployRequest(image="acme/models:1", by="Ada")
SKILLS: dict[str, Any] = {"view": {}, "wheel": {"serviceName": "ai-wheel", "port": 9722}}


@pytest.fixture
def answers(showroom: Showroom) -> Iterator[Answers]:
    """Version 1 of both skills, champion; pods that answer with it."""
    for skill in SKILLS:
        showroom.add(skill, "champion")
    content = Answers(view=("a", "1"), wheel=("a", "1"))
    with answering(showroom.server, content):
        yield content


def deploy(showroom: Showroom, request: DeployRequest = REQUEST, **settings: Any) -> DeployReport:
    configured = fleet(store=showroom.store.uri, skills=SKILLS, canary={"soakSeconds": 1} | settings)
    return release_fleet(showroom.context(configured), request, config=DeployConfig(timeout_s=5))


def back(showroom: Showroom, revision: int | None = None) -> DeployReport:
    return roll_back(showroom.context(), DeployRequest(by="Grace"), revision, config=DeployConfig(timeout_s=5))


def tag_of(showroom: Showroom, skill: str, number: str) -> Any:
    return deployments_of(showroom.registry.tags(skill, number)).get(("models", "showroom"))


# -- where


def test_a_release_is_called_like_the_fleet_in_the_context_s_namespace(showroom: Showroom) -> None:
    site = open_release(fleet())
    assert (site.release, site.cluster.namespace, site.helm.namespace) == ("showroom", "of-context", "of-context")


def test_the_fleet_file_names_them_and_the_command_goes_before_it(showroom: Showroom) -> None:
    configured = fleet(namespace="cars", release="fleet")
    assert (open_release(configured).release, open_release(configured).cluster.namespace) == ("fleet", "cars")
    assert open_release(configured, "elsewhere").cluster.namespace == "elsewhere"


def test_a_fleet_s_name_that_is_too_long_for_helm_is_refused(showroom: Showroom, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match=r"at most 40 characters; got 'c{41}'. Set `spec.deploy.release`"):
        open_release(fleet_of(tmp_path, name="c" * 41))
    open_release(fleet_of(tmp_path, name="c" * 40))


def test_without_a_kubeconfig_the_error_has_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(InvalidConfigError, match=r"no Kubernetes cluster is configured. Set KUBECONFIG"):
        open_release(fleet())


def test_a_user_without_a_name_is_called_after_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert own_name().startswith("coachworks@")


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
    content = tag_of(showroom, "view", "1")
    assert (content["state"], content["revision"], content["by"]) == ("stable", 2, "Ada")


def test_the_same_again_is_unchanged_and_makes_no_revision(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    again = deploy(showroom)
    assert (again.status, again.revision, again.stages) == ("unchanged", 2, ())
    assert again.skills["view"].before == "1"


def test_what_was_changed_by_hand_is_taken_back_and_reported(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    path = "/apis/apps/v1/namespaces/models/deployments/showroom-shared"
    container = showroom.server[path]["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{**each, "value": "4"} for each in container["env"]] + [{"name": "HANDMADE", "value": "yes"}]
    report = deploy(showroom)
    assert (report.status, report.revision) == ("deployed", 3)
    assert any('env[HANDMADE].value was added: "yes"' in sentence for sentence in report.mended)
    assert any("env[COACHWORKS_SERVING_THREADS].value" in sentence for sentence in report.mended)
    assert "HANDMADE" not in str(showroom.server[path])
    assert deploy(showroom).status == "unchanged"


def renamed(configured: Fleet, **names: str) -> Fleet:
    """Return the fleet with new names of skills, each with its earlier one."""
    skills = {new: configured.spec.skills[was].model_copy(update={"was": was}) for new, was in names.items()}
    return configured.model_copy(update={"spec": configured.spec.model_copy(update={"skills": skills})})


def services(showroom: Showroom) -> dict[str, tuple[str, int]]:
    """Return skill and port of each Service of a skill."""
    objects = parse_objects(showroom.helm.manifest()).by_name
    return {
        name: (each["metadata"]["labels"]["coachworks.dev/skill"], each["spec"]["ports"][0]["port"])
        for (kind, name), each in objects.items()
        if kind == "Service" and "coachworks.dev/skill" in each["metadata"]["labels"]
    }


def reached_ports(showroom: Showroom) -> dict[str, str]:
    """Return the name of the pods' port to which each Service of a skill leads; the pods have it."""
    objects = parse_objects(showroom.helm.manifest()).by_name
    (pods,) = (each for (kind, _), each in objects.items() if kind == "Deployment")
    ports = {port["name"] for port in pods["spec"]["template"]["spec"]["containers"][0]["ports"]}
    reached = {name: objects["Service", name]["spec"]["ports"][0]["targetPort"] for name in services(showroom)}
    assert set(reached.values()) <= ports
    return reached


def test_a_renamed_skill_keeps_its_version_and_its_service(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    assert services(showroom) == {"view": ("view", 8080), "ai-wheel": ("wheel", 9722)}
    ports = reached_ports(showroom)
    configured = renamed(
        fleet(store=showroom.store.uri, skills=SKILLS, canary={"soakSeconds": 1}), angle="view", rim="wheel"
    )
    answers.skills = {"angle": ("a", "1"), "rim": ("a", "1")}
    report = release_fleet(showroom.context(configured), REQUEST, config=DeployConfig(timeout_s=5))
    assert (report.status, report.smoke) == ("deployed", 2)
    assert {skill: entry.version for skill, entry in report.skills.items()} == {"angle": "1", "rim": "1"}
    assert services(showroom) == {"view": ("angle", 8080), "ai-wheel": ("rim", 9722)}
    assert reached_ports(showroom) == ports, "pods of either name answer while they are replaced"
    assert tag_of(showroom, "view", "1")["revision"] == report.revision
    back = roll_back(showroom.context(configured), DeployRequest(by="Grace"), config=DeployConfig(timeout_s=5))
    assert services(showroom) == {"view": ("view", 8080), "ai-wheel": ("wheel", 9722)}
    assert tag_of(showroom, "view", "1")["revision"] == back.revision


def test_a_new_version_is_promoted_after_a_soak(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("a", "2")
    report = deploy(showroom)
    assert report.status == "deployed"
    assert (report.skills["wheel"].before, report.skills["wheel"].version) == ("1", "2")
    assert {row.track for row in report.soak} == {"stable", "canary"}
    assert report.soak_summary
    assert tag_of(showroom, "wheel", "1")["state"] == "replaced"
    assert tag_of(showroom, "wheel", "2")["state"] == "stable"


def test_a_version_with_other_answers_than_recorded_is_rolled_back(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("b", "2")
    with pytest.raises(DeployError, match=r"(?s)failed the smoke test: 1 of 2 answers.*serve again: view v1, wheel"):
        deploy(showroom)
    assert read_values(showroom.helm.values()).versions == {"view": "1", "wheel": "1"}
    assert tag_of(showroom, "wheel", "2") is None


def test_a_pinned_version_is_released_whatever_is_champion(showroom: Showroom, answers: Answers) -> None:
    showroom.add("wheel", "champion")
    pinned = DeployRequest(image=REQUEST.image, pinned={"wheel": "1"})
    assert deploy(showroom, pinned).skills["wheel"].version == "1"


def test_a_release_that_another_deployer_changes_is_left_alone(showroom: Showroom, answers: Answers) -> None:
    with hold_lease(showroom.cluster, "grace@laptop"), pytest.raises(BusyError, match="changed by grace@laptop"):
        deploy(showroom)
    assert showroom.helm.made == []


def test_where_no_skill_can_be_released_nothing_is(showroom: Showroom) -> None:
    with pytest.raises(DataError, match=r"no skill of the fleet can be deployed:\n  view: no model"):
        deploy(showroom)
    assert showroom.helm.made == []


def test_where_all_awaits_approval_nothing_is_released(showroom: Showroom) -> None:
    showroom.add("view", "champion")
    report = release_fleet(showroom.context(fleet_of(Path(showroom.store.uri))), REQUEST)
    assert (report.status, report.revision, report.release_digest, dict(report.skills)) == (
        "awaiting-approval",
        0,
        "",
        {},
    )
    assert "coachworks approve view 1" in report.awaiting["view"]
    assert showroom.helm.made == []


def test_what_answers_stays_and_is_told_where_all_else_awaits_approval(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.registry.client.delete_registered_model("showroom.wheel")
    values = showroom.helm.values()
    showroom.helm.upgrade({**values, "skills": {"wheel": values["skills"]["wheel"]}}, "only wheel")
    report = release_fleet(showroom.context(fleet_of(Path(showroom.store.uri))), REQUEST)
    assert (report.status, report.revision, list(report.skills)) == ("awaiting-approval", 3, ["wheel"])


# -- back


def test_where_nothing_is_released_there_is_no_way_back(showroom: Showroom) -> None:
    with pytest.raises(NotFoundError, match="nothing is deployed as 'showroom' in the namespace 'models'"):
        back(showroom)


def test_the_first_release_has_nothing_before_it(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    with pytest.raises(NotFoundError, match="nothing but the present version was deployed as 'showroom': there is no"):
        back(showroom)


def test_a_rollback_deploys_the_release_before_without_a_canary(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    showroom.add("wheel", "champion")
    answers.skills["wheel"] = ("a", "2")
    deploy(showroom, soakSeconds=0)
    answers.silent = True
    report = back(showroom)
    assert (report.skills["wheel"].before, report.skills["wheel"].version) == ("2", "1")
    assert [stage.name for stage in report.stages] == ["replace"]
    content = tag_of(showroom, "wheel", "2")
    assert (content["state"], content["replaced_by"]["by"]) == ("replaced", "Grace")
    assert showroom.registry.client.get_model_version_by_alias("showroom.wheel", "champion").version == 2


def test_a_revision_that_helm_does_not_keep_is_told_with_those_that_it_does(
    showroom: Showroom, answers: Answers
) -> None:
    deploy(showroom)
    with pytest.raises(NotFoundError, match=r"keeps no revision 9; it keeps 1, 2. `helm history showroom` desc"):
        back(showroom, 9)


def test_a_stage_of_a_rollout_is_not_a_release_to_roll_back_to(showroom: Showroom, answers: Answers) -> None:
    deploy(showroom)
    values = read_values(showroom.helm.values())
    showroom.helm.upgrade(with_canary(values, values, {"shared": 1}, "all").to_json(), "canary")
    showroom.helm.upgrade(values.to_json(), "finished")
    with pytest.raises(InvalidConfigError, match=r"revision 3 is a stage of a rollout, not a complete release"):
        back(showroom, 3)


@pytest.mark.parametrize("timeout_s", [0, -1, True, 1.5])
def test_a_timeout_is_a_whole_number_of_seconds(timeout_s: Any) -> None:
    with pytest.raises(InvalidConfigError, match=f"timeout_s must be an integer of at least 1; got {timeout_s!r}"):
        DeployConfig(timeout_s=timeout_s)
