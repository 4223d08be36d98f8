"""`coachworks deploy`, `rollback` and the release in `status`: output and exit status."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from registered import Registry
from released import Answers, ReadyHelm, add_version, answering, put_backbone
from small_fleets import fleet_text

from coachworks.cli.main import cli, main
from coachworks.fleet.reader import read_fleet
from coachworks.runs import SUCCEEDED, new_run, start_run
from coachworks.store import FolderStore, open_store
from components.deploy import request
from kubernetes_server import Objects, kubernetes_server, write_kubeconfig

SKILLS = {"view": {"labels": ["front", "rear"]}, "wheel": {"labels": ["left", "right"], "tier": "critical"}}
MODEL_IMAGE = ("--image", "acme/models:1", "--timeout-s", "5")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """The cluster that KUBECONFIG names; this folder is that of the fleet file."""
    (tmp_path / "fleet.yaml").write_text(fleet_text(SKILLS, deploy={"namespace": "models"}))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos.csv").write_text("filename,view,wheel\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    for name in ("MLFLOW_TRACKING_URI", "HELM_KUBECONTEXT", "COACHWORKS_HELM"):
        monkeypatch.delenv(name, raising=False)
    with kubernetes_server() as objects:
        objects["/version"] = {"gitVersion": "v1.34.4"}
        write_kubeconfig(tmp_path / "kubeconfig", objects.address)
        yield objects


@pytest.fixture
def helm(server: Objects, monkeypatch: pytest.MonkeyPatch) -> ReadyHelm:
    kept = ReadyHelm(server)
    monkeypatch.setattr(request, "Helm", lambda *_, **__: kept)
    return kept


@pytest.fixture
def add(server: Objects, empty_database: Path) -> Callable[..., str]:
    """Register versions of the models of the fleet as its file is at the time."""
    fleet = read_fleet(Path("fleet.yaml"))
    registry, store = Registry.embedded(fleet, empty_database), open_store(fleet.spec.store)
    put_backbone(store)

    def register(skill: str, *aliases: str) -> str:
        return add_version(replace(registry, fleet=read_fleet(Path("fleet.yaml"))), store, skill, *aliases)

    return register


@pytest.fixture
def answers(server: Objects) -> Iterator[Answers]:
    pods = Answers(view=("front", "1"))
    with answering(server, pods):
        yield pods


def call(*arguments: str, expect: int = 0) -> Result:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == expect, done.output
    return done


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and message of a command that fails."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0), capsys.readouterr().err


def cells(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


# -- deploying


def test_the_report_is_a_table_and_the_exit_status_is_3_where_approval_is_missing(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    add("wheel", "champion")
    done = call("deploy", *MODEL_IMAGE, expect=3)
    assert "view.models.svc:8080" in done.stdout
    assert "coachworks approve wheel 1" in done.stdout
    assert "Awaiting approval: release showroom, revision 2, namespace models." in done.stdout


def test_the_report_is_json_for_scripts_and_ends_with_3_too(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    add("wheel", "champion")
    document = json.loads(call("deploy", "--json", *MODEL_IMAGE, expect=3).stdout)
    assert (document["status"], document["revision"], document["smoke"]) == ("awaiting-approval", 2, 1)
    assert list(document["awaiting"]) == ["wheel"]


def test_where_every_version_awaits_approval_nothing_is_deployed(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("wheel", "champion")
    done = call("deploy", *MODEL_IMAGE, expect=3)
    assert "Awaiting approval: nothing is deployed, namespace models." in done.stdout


def test_the_same_again_is_nothing_to_do_and_a_good_end(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    assert "Deployed: release showroom, revision 2" in call("deploy", *MODEL_IMAGE).stdout
    again = call("deploy", *MODEL_IMAGE).stdout
    assert "Nothing to do: release showroom, revision 2, namespace models." in again
    assert "wheel: no model 'showroom.wheel' is registered" in again


def test_a_plan_changes_nothing_and_names_every_object(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("view", "champion")
    done = call("deploy", "--plan", *MODEL_IMAGE)
    assert ["+", "Deployment", "1", "showroom-shared"] in [line.split() for line in done.stdout.splitlines()]
    assert "acme/models:1" not in done.stdout
    assert len(done.stdout.splitlines()) < 20
    assert "image: acme/models:1" in call("deploy", "--diff", *MODEL_IMAGE).stdout
    assert "Plan: install without traffic, smoke test, open." in done.stdout
    assert helm.made == []


def test_a_plan_is_json_for_scripts(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("view", "champion")
    add("view")
    document = json.loads(call("deploy", "--plan", "--json", "--version", "view=2", *MODEL_IMAGE).stdout)
    assert document["skills"] == {
        "view": {
            "before": None,
            "after": "2",
            "layout_before": None,
            "layout_after": "shared",
            "service_before": None,
            "service_after": "view:8080",
        }
    }
    assert document["objects"]["Service view"] == "+"


def test_a_rollback_does_not_move_the_champion(helm: ReadyHelm, add: Callable[..., str], answers: Answers) -> None:
    add("view", "champion")
    call("deploy", *MODEL_IMAGE)
    helm.upgrade({**helm.values(), "drainSeconds": 30, "releaseDigest": "another"}, "another")
    done = call("rollback", "2")
    assert helm.values().get("drainSeconds") is None
    assert "MLflow's alias `champion` was not moved" in done.stderr


def test_a_skill_goes_only_by_its_name_on_the_command_line(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    add("view", "champion")
    call("deploy", *MODEL_IMAGE)
    renamed = {"kind": SKILLS["view"], "wheel": SKILLS["wheel"]}
    deploy = {"namespace": "models", "canary": {"soakSeconds": 0}}
    Path("fleet.yaml").write_text(fleet_text(renamed, deploy=deploy))
    add("kind", "champion")
    answers.skills = {"kind": ("front", "1")}
    status, error = refusal(capsys, "deploy", *MODEL_IMAGE)
    assert status == 1
    assert "  view (Service view:8080, v1): the fleet file has no such skill." in error
    plan = call("deploy", "--plan", *MODEL_IMAGE, expect=1).stdout
    assert "Refused: the release 'showroom' in the namespace 'models' answers today" in plan
    assert json.loads(call("deploy", "--plan", "--json", *MODEL_IMAGE, expect=1).stdout)["refusal"] in f"{error}\n"
    assert "Removed: view (Service view:8080, v1)" in call("deploy", "--plan", "--remove", "view", *MODEL_IMAGE).stdout
    assert "Deployed: " in call("deploy", "--remove", "view", *MODEL_IMAGE).stdout
    status, error = refusal(capsys, "rollback", "2")
    assert (status, "`coachworks rollback 2 --remove kind`" in error) == (1, True)


# -- refusals


@pytest.mark.parametrize("text", ["view", "view=", "=3"])
def test_a_version_is_written_with_its_skill(server: Objects, capsys: pytest.CaptureFixture[str], text: str) -> None:
    status, error = refusal(capsys, "deploy", "--version", text)
    assert (status, error) == (2, f"error: --version must be SKILL=NUMBER, as image-quality=7; got {text!r}\n")


def test_a_skill_has_one_version(server: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = refusal(capsys, "deploy", "--version", "view=1", "--version", "view=2")
    assert (status, error) == (2, "error: --version must name a skill once; got several versions of view\n")


def test_an_image_removes_no_skill(server: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = refusal(capsys, "deploy", "--write-image", "image", "--remove", "view")
    message = "--remove belongs to a deployment, and --write-image deploys nothing. Leave one out."
    assert (status, error) == (2, f"error: {message}\n")


def test_a_version_of_an_unknown_skill_or_number_is_refused(
    helm: ReadyHelm, add: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    add("view", "champion")
    status, error = refusal(capsys, "deploy", "--version", "views=1")
    assert status == 2
    assert "got 'views'. Its skills: view, wheel." in error
    status, error = refusal(capsys, "deploy", "--version", "view=7", *MODEL_IMAGE)
    assert status == 1
    assert "'showroom.view' has no version '7'. `coachworks mlflow` shows its versions." in error


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "KUBECONFIG",
            "/nonexistent",
            "no Kubernetes cluster is configured. Set KUBECONFIG to a kubeconfig",
        ),
        (
            "COACHWORKS_HELM",
            "/nonexistent/helm",
            "COACHWORKS_HELM must name the command helm; got '/nonexistent/helm'. Install Helm 3.17 or later",
        ),
    ],
)
def test_without_a_kubeconfig_or_helm_the_error_has_a_way_out(
    server: Objects,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(variable, value)
    status, error = refusal(capsys, "deploy", "--plan")
    assert status == 2
    assert message in error


def test_a_cluster_that_cannot_be_reached_is_an_error(server: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    server.down = True
    status, error = refusal(capsys, "deploy")
    assert status == 1
    assert "the cluster 'test' at http://127.0.0.1:" in error


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho v3.9.0+g7ceeda6\n", "helm must be 3.14 or later; "),
        ("#!/nonexistent/sh\n", "does not print a version of helm: "),
    ],
)
def test_an_unsuitable_helm_is_refused(
    server: Objects, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    command = Path("old-helm").absolute()
    command.write_text(script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("COACHWORKS_HELM", str(command))
    status, error = refusal(capsys, "deploy", "--plan")
    assert status == 2
    assert message in error
    assert "Install Helm 3.17 or later" in error


@pytest.mark.parametrize(
    ("deploy", "message"),
    [
        ("{autoscaling: {minReplicas: 5, maxReplicas: 2}}", "minReplicas must be at most maxReplicas; got 5 and 2"),
        ("{skills: {veiw: {}}}", "`deploy.skills` must name skills of the fleet; got 'veiw'. Did you mean"),
        ("{skills: {lamp: {}}}", "got 'lamp'. Its skills: view, wheel."),
        ("{values: {canary: {}}}", "`values` must not hold 'canary', which follows from the rest of the fleet file"),
        ("{image: acme/serving:latest}", "`image` must name a tag other than `latest`, or a digest"),
        (f"{{release: {'r' * 41}}}", "at most 40"),
        ("{canary: {share: 0.6}}", "`spec.deploy.canary.share` must be at most 0.5; got 0.6"),
        ("{keepRevisions: 9}", "at least 10"),
        ("{canary: {bakeSeconds: 9}}", "`bakeSeconds` is called `soakSeconds` now. Rename it."),
    ],
)
def test_settings_of_the_deployment_in_the_fleet_file_are_checked(
    server: Objects, capsys: pytest.CaptureFixture[str], deploy: str, message: str
) -> None:
    text = fleet_text(SKILLS, deploy="HERE").replace('"HERE"', deploy)
    Path("fleet.yaml").write_text(text)
    status, error = refusal(capsys, "deploy")
    assert status == 2
    assert message in error
    assert f"fleet.yaml:{text[: text.index('deploy')].count(chr(10)) + 1}:" in error


# -- status


@pytest.fixture
def ran(server: Objects) -> FolderStore:
    """A run that is over."""
    store = FolderStore(Path("store").absolute())
    start_run(store, new_run(read_fleet(Path("fleet.yaml")).to_json(), [])).ended(store, SUCCEEDED)
    return store


def test_status_shows_the_deployed_versions(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers, ran: FolderStore
) -> None:
    add("view", "champion")
    call("deploy", *MODEL_IMAGE)
    done = call("status")
    assert "Release showroom, namespace models, revision 2: deployed, " in done.stdout
    assert cells(done.stdout, "view")[:2] == ["view", "v1"]
    assert cells(done.stdout, "view")[-2:] == ["2/2", "view:8080"]
    document = json.loads(call("status", "--json").stdout)["release"]
    assert [(skill["name"], skill["ready"], skill["canary"]) for skill in document["skills"]] == [("view", 2, 0)]


def test_status_reports_that_nothing_is_deployed(helm: ReadyHelm, ran: FolderStore) -> None:
    done = call("status")
    assert "Nothing is deployed in the namespace models." in done.stderr
    assert "release" not in json.loads(call("status", "--json").stdout)


def test_status_of_a_run_does_not_fail_for_a_cluster_that_cannot_be_reached(
    ran: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", os.devnull + "/none")
    done = call("status")
    assert "The release cannot be read: no Kubernetes cluster is configured." in done.stderr


def test_status_reads_no_cluster_where_the_fleet_file_names_no_namespace(ran: FolderStore, server: Objects) -> None:
    Path("fleet.yaml").write_text(fleet_text(SKILLS))
    call("status")
    assert server.asked == []
