"""`coachworks deploy`, `rollback` and the release in `status`: what they print, and how they end."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from registered import Registry
from released import Answers, ReadyHelm, add_version, answering, put_backbone

from coachworks.cli.main import cli, main
from coachworks.fleet.reader import read_fleet
from coachworks.runs import SUCCEEDED, start_run
from coachworks.store import FolderStore, open_store
from components.deploy import releasing
from kubernetes_server import Objects, kubernetes_server, write_kubeconfig

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {name: showroom}
spec:
  store: ./store
  sources: [{photos: ./photos, table: ./photos.csv}]
  deploy: {namespace: models}
  skills:
    view: {labels: [front, rear]}
    wheel: {labels: [left, right], tier: critical}
"""
BAKED = ("--image", "acme/baked:1", "--timeout-s", "5")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """The cluster that KUBECONFIG names; this folder is that of the fleet file."""
    (tmp_path / "fleet.yaml").write_text(FLEET)
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
    monkeypatch.setattr(releasing, "Helm", lambda *_, **__: kept)
    return kept


@pytest.fixture
def add(server: Objects, empty_database: Path) -> Callable[..., str]:
    """Register versions of the fleet's models."""
    fleet = read_fleet(Path("fleet.yaml"))
    registry, store = Registry.embedded(fleet, empty_database), open_store(fleet.spec.store)
    put_backbone(store)
    return lambda skill, *aliases: add_version(registry, store, skill, *aliases)


@pytest.fixture
def answers(server: Objects) -> Iterator[Answers]:
    told = Answers(view=("front", "1"))
    with answering(server, told):
        yield told


def call(*arguments: str, expect: int = 0) -> Result:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == expect, done.output
    return done


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit status of a command that fails, and what it says."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0), capsys.readouterr().err


def cells(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


# -- deploying


def test_what_was_deployed_is_a_table_and_what_awaits_approval_ends_with_3(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    add("wheel", "champion")
    done = call("deploy", *BAKED, expect=3)
    assert "view.models.svc:8080" in done.stdout
    assert "coachworks approve wheel 1" in done.stdout
    assert "Awaiting approval: release showroom, revision 2, namespace models." in done.stdout


def test_the_report_is_json_for_scripts_and_ends_with_3_too(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    add("wheel", "champion")
    document = json.loads(call("deploy", "--json", *BAKED, expect=3).stdout)
    assert (document["status"], document["revision"], document["smoke"]) == ("awaiting-approval", 2, 1)
    assert list(document["awaiting"]) == ["wheel"]


def test_where_all_awaits_approval_nothing_is_said_to_be_released(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("wheel", "champion")
    done = call("deploy", *BAKED, expect=3)
    assert "Awaiting approval: nothing is released, namespace models." in done.stdout


def test_the_same_again_is_nothing_to_do_and_a_good_end(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers
) -> None:
    add("view", "champion")
    assert "Deployed: release showroom, revision 2" in call("deploy", *BAKED).stdout
    again = call("deploy", *BAKED).stdout
    assert "Nothing to do: release showroom, revision 2, namespace models." in again
    assert "wheel: no model 'showroom.wheel' is registered" in again


def test_a_plan_changes_nothing_and_names_every_object(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("view", "champion")
    done = call("deploy", "--plan", *BAKED)
    assert "+ Deployment showroom-shared" in done.stdout
    assert "acme/baked:1" in done.stdout
    assert "It would: install without traffic, smoke test, open." in done.stdout
    assert helm.made == []


def test_a_plan_is_json_for_scripts(helm: ReadyHelm, add: Callable[..., str]) -> None:
    add("view", "champion")
    add("view")
    document = json.loads(call("deploy", "--plan", "--json", "--version", "view=2", *BAKED).stdout)
    assert document["skills"] == {
        "view": {"before": None, "after": "2", "layout_before": None, "layout_after": "shared"}
    }
    assert document["objects"]["Service view"] == "+"


def test_back_says_that_the_champion_was_not_moved(helm: ReadyHelm, add: Callable[..., str], answers: Answers) -> None:
    add("view", "champion")
    call("deploy", *BAKED)
    helm.upgrade({**helm.values(), "drainSeconds": 30, "release": "another"}, "another")
    done = call("rollback", "2")
    assert helm.values().get("drainSeconds") is None
    assert "MLflow's alias `champion` was not moved" in done.stderr


# -- refusals


@pytest.mark.parametrize("told", ["view", "view=", "=3"])
def test_a_version_is_written_with_its_skill(server: Objects, capsys: pytest.CaptureFixture[str], told: str) -> None:
    status, said = refusal(capsys, "deploy", "--version", told)
    assert (status, said) == (2, f"error: --version must be SKILL=NUMBER, as image-quality=7; got {told!r}\n")


def test_a_skill_has_one_version(server: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = refusal(capsys, "deploy", "--version", "view=1", "--version", "view=2")
    assert (status, said) == (2, "error: --version must name a skill once; got several versions of view\n")


def test_a_version_of_an_unknown_skill_or_number_is_refused(
    helm: ReadyHelm, add: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    add("view", "champion")
    status, said = refusal(capsys, "deploy", "--version", "views=1")
    assert status == 2
    assert "got 'views'. Its skills: view, wheel." in said
    status, said = refusal(capsys, "deploy", "--version", "view=7", *BAKED)
    assert status == 1
    assert "'showroom.view' has no version '7'. `coachworks mlflow` shows its versions." in said


@pytest.mark.parametrize(
    ("variable", "value", "told"),
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
def test_without_a_kubeconfig_or_helm_the_way_out_is_told(
    server: Objects,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(variable, value)
    status, said = refusal(capsys, "deploy", "--plan")
    assert status == 2
    assert told in said


def test_a_cluster_that_is_away_is_said_to_be(server: Objects, capsys: pytest.CaptureFixture[str]) -> None:
    server.down = True
    status, said = refusal(capsys, "deploy")
    assert status == 1
    assert "the cluster 'test' at http://127.0.0.1:" in said


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("#!/bin/sh\necho v3.9.0+g7ceeda6\n", "helm must be 3.14 or later; "),
        ("#!/nonexistent/sh\n", "does not say which helm it is: "),
    ],
)
def test_a_helm_that_will_not_do_is_refused(
    server: Objects, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    command = Path("old-helm").absolute()
    command.write_text(script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("COACHWORKS_HELM", str(command))
    status, said = refusal(capsys, "deploy", "--plan")
    assert status == 2
    assert told in said
    assert "Install Helm 3.17 or later" in said


@pytest.mark.parametrize(
    ("deploy", "told"),
    [
        ("{autoscaling: {minReplicas: 5, maxReplicas: 2}}", "minReplicas must be at most maxReplicas; got 5 and 2"),
        ("{skills: {veiw: {}}}", "`deploy.skills` must name skills of the fleet; got 'veiw'. Did you mean"),
        ("{skills: {lamp: {}}}", "got 'lamp'. Its skills: view, wheel."),
        ("{values: {canary: {}}}", "`values` must not hold 'canary', which follows from the rest of the fleet file"),
        ("{image: acme/serving:latest}", "`image` must name a tag other than `latest`, or a digest"),
        (f"{{release: {'r' * 41}}}", "at most 40"),
        ("{canary: {share: 0.6}}", "`spec.deploy.canary.share` must be at most 0.5; got 0.6"),
        ("{keepRevisions: 9}", "at least 10"),
    ],
)
def test_what_the_fleet_file_says_of_a_deployment_is_checked(
    server: Objects, capsys: pytest.CaptureFixture[str], deploy: str, told: str
) -> None:
    Path("fleet.yaml").write_text(FLEET.replace("{namespace: models}", deploy))
    status, said = refusal(capsys, "deploy")
    assert status == 2
    assert told in said
    assert "fleet.yaml:7:" in said


# -- status


@pytest.fixture
def ran(server: Objects) -> FolderStore:
    """A run that is over."""
    store = FolderStore(Path("store").absolute())
    start_run(store, read_fleet(Path("fleet.yaml")).to_json(), []).ended(store, SUCCEEDED)
    return store


def test_status_tells_what_answers(
    helm: ReadyHelm, add: Callable[..., str], answers: Answers, ran: FolderStore
) -> None:
    add("view", "champion")
    call("deploy", *BAKED)
    done = call("status")
    assert "Release showroom, namespace models, revision 2: deployed, " in done.stdout
    assert cells(done.stdout, "view")[:2] == ["view", "v1"]
    assert cells(done.stdout, "view")[-2:] == ["2/2", "view:8080"]
    document = json.loads(call("status", "--json").stdout)["release"]
    assert [(skill["name"], skill["ready"], skill["canary"]) for skill in document["skills"]] == [("view", 2, 0)]


def test_status_says_where_nothing_is_deployed(helm: ReadyHelm, ran: FolderStore) -> None:
    done = call("status")
    assert "Nothing is deployed in the namespace models." in done.stderr
    assert "release" not in json.loads(call("status", "--json").stdout)


def test_status_of_a_run_does_not_fail_for_a_cluster_that_cannot_be_seen(
    ran: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", os.devnull + "/none")
    done = call("status")
    assert "The release cannot be seen: no Kubernetes cluster is configured." in done.stderr


def test_status_asks_no_cluster_where_the_fleet_file_names_no_namespace(ran: FolderStore, server: Objects) -> None:
    Path("fleet.yaml").write_text(FLEET.replace("{namespace: models}", "{}"))
    call("status")
    assert server.asked == []
