"""Refusals before anything is sent, each with its way out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_fleets import small_fleet

from coachworks.errors import InvalidConfigError, TransientError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.model import Fleet
from coachworks.store import FolderStore
from kubernetes_server import Objects
from pipelines.kubeflow import open_kubeflow
from pipelines.submit import Submission, for_pods, refuse_unfit, store_identity

CLOSED = "http://127.0.0.1:9"


def fleet_of(**spec: object) -> Fleet:
    fitting = {
        "name": "cars",
        "store": "s3://bucket/cars",
        "tracking": "https://mlflow.example",
        "sources": [{"photos": "s3://bucket/photos", "skill": "wheel"}],
        "skills": {"wheel": {"labels": ["left", "right"]}},
    }
    return small_fleet(**(fitting | spec))


def test_a_fleet_that_pods_can_work_on_is_not_refused() -> None:
    refuse_unfit(fleet_of(), recurring=True)
    refuse_unfit(fleet_of(backbone="auto"), recurring=True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"store": "/home/me/store"}, r"`spec.store` must be s3://bucket/prefix .*'/home/me/store'.*coachworks run"),
        ({"tracking": None}, r"`spec.tracking` must be the address of an MLflow server .*None.*charts/platform"),
        ({"tracking": "sqlite:///mlflow.db"}, r"`spec.tracking` must be the address"),
        ({"backbone": "/models/mine"}, r"`spec.backbone` must be one of efficientnet-lite0.*'/models/mine'"),
        ({"deploy": {"automatic": True}}, r"`spec.deploy.namespace` must name where .*`spec.deploy.automatic`"),
    ],
)
def test_what_pods_cannot_reach_is_refused_with_the_way_out(spec: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        refuse_unfit(fleet_of(**spec), recurring=False)


def test_photos_on_this_machine_are_fine_once_and_refused_on_a_schedule() -> None:
    fleet = fleet_of(sources=[{"photos": "/home/me/photos", "skill": "wheel"}])
    refuse_unfit(fleet, recurring=False)
    with pytest.raises(InvalidConfigError, match=r"/home/me/photos.*s3://bucket/prefix"):
        refuse_unfit(fleet, recurring=True)


def test_how_pods_are_made_does_not_reach_the_steps_and_spoils_no_cache() -> None:
    cluster = {"dashboard": "https://kubeflow.example", "defaults": {"requests": {"memory": "768Mi"}}}
    small, large = fleet_of(cluster=cluster), fleet_of(cluster=cluster | {"defaults": {"requests": {"memory": "2Gi"}}})
    assert for_pods(small).to_json() == for_pods(large).to_json()
    assert for_pods(small).spec.cluster.dashboard == "https://kubeflow.example"


def test_how_a_fleet_is_served_reaches_only_who_deploys_it_and_spoils_no_cache() -> None:
    plain = fleet_of()
    deployed = fleet_of(
        deploy={"automatic": True, "namespace": "cars", "canary": {"soakSeconds": 9}},
        defaults={"serving": {"replicas": 3}},
        skills={"wheel": {"labels": ["left", "right"], "serving": {"port": 9000}}},
        cluster={"environment": [{"secret": "store"}]},
    )
    before, after = (Submission(fleet=fleet, lanes=fleet.lanes()).parameters for fleet in (plain, deployed))
    assert before["recipe"] == after["recipe"]
    sent = Fleet.from_json(after["fleet"])
    serving = sent.serving("wheel")
    assert (sent.spec.deploy.canary.soak_seconds, serving.replicas, serving.port) == (9, 3, 9000)
    assert [source.secret for source in sent.spec.deploy.environment or ()] == ["store"]
    other = fleet_of(defaults={"gates": {"minBalancedAccuracy": 0.9}})
    assert Submission(fleet=other, lanes=other.lanes()).parameters["recipe"] != before["recipe"]


def test_another_store_is_another_cache(tmp_path: Path) -> None:
    stores = [FolderStore(tmp_path / name) for name in ("one", "two")]
    salts = [store_identity(store) for store in (*stores, stores[0])]
    assert salts[0] == salts[2] != salts[1]
    fleet = fleet_of()
    assert for_pods(fleet, salts[0]).to_json() != for_pods(fleet, salts[1]).to_json()
    chosen = fleet_of(cluster={"cacheSalt": "mine"})
    assert for_pods(chosen, salts[0]).to_json() == for_pods(chosen, salts[1]).to_json()


def test_the_parameters_hold_the_fleet_its_lanes_and_what_was_ingested() -> None:
    fleet = fleet_of()
    parameters = Submission(fleet=fleet, lanes=fleet.lanes(), ingested="3f").parameters
    assert Fleet.from_json(parameters["fleet"]) == fleet
    assert (parameters["lanes"], parameters["ingested"]) == ([["wheel"]], "3f")


def test_a_cluster_that_does_not_answer_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", CLOSED)
    with pytest.raises(TransientError, match=r"127.0.0.1:9 does not answer.*KF_PIPELINES_ENDPOINT.*port-forward"):
        open_kubeflow(Cluster())


def test_no_cluster_at_all_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    # read when the library is imported, which another test of the process may have done
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        InvalidConfigError, match=r"no address of Kubeflow Pipelines is configured\. Set KF_PIPELINES_ENDP"
    ):
        open_kubeflow(Cluster())


def test_a_cluster_without_kubeflow_pipelines_is_asked_once_and_kfp_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, api_server: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"  # read when the module was imported
    monkeypatch.setattr(location, os.environ["KUBECONFIG"])
    with pytest.raises(InvalidConfigError, match=r"leads to none: .*Not Found\. Set KF_PIPELINES_ENDPOINT"):
        open_kubeflow(Cluster())
    assert len(api_server.asked) == 1
    assert caplog.text == ""


def write(folder: Path, fleet: Fleet) -> Path:
    from ruamel.yaml import YAML

    file = folder / "fleet.yaml"
    with file.open("w") as stream:
        YAML().dump(json.loads(fleet.model_dump_json(by_alias=True, exclude_unset=True)), stream)
    return file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schedule"], "spec.cluster.schedule"),
        (["--only", "weel"], "Did you mean"),
        (["--from", "trane"], "trane"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "coachworks.cli.main", "submit", "-f", str(write(tmp_path, fleet_of()))]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_runs_and_cancel_say_where_they_looked_when_nobody_answers(tmp_path: Path) -> None:
    file = write(tmp_path, fleet_of())
    for arguments in (["runs"], ["cancel", "3f"]):
        done = subprocess.run(
            [sys.executable, "-m", "coachworks.cli.main", *arguments, "-f", str(file)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"KF_PIPELINES_ENDPOINT": CLOSED},
        )
        assert done.returncode == 1
        assert "127.0.0.1:9 does not answer" in done.stderr
