"""Settings of pods in the compiled pipeline: a golden file, and the properties that matter most."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_fleets import small_fleet

from coachworks.fleet.model import Fleet
from pipelines.compiled import compile_pipeline, compiled_documents, read_documents, version_name

GOLDEN = Path(__file__).parent.parent / "golden" / "cluster-pipeline.json"
CLUSTER: dict[str, Any] = {
    "image": "registry.example/coachworks/steps:1",
    "imagePullSecrets": ["registry"],
    "environment": [{"secret": "coachworks"}, {"configMap": "addresses", "keys": ["MLFLOW_TRACKING_URI"]}],
    "certificateAuthority": {"configMap": "company-ca"},
    "keepPods": {"afterSuccessSeconds": 3600, "afterFailureSeconds": 604800},
    "defaults": {
        "requests": {"cpu": "100m", "memory": "768Mi"},
        "limits": {"memory": "2Gi"},
        "nodeSelector": {"pool": "general"},
        "accelerator": {"type": "nvidia.com/gpu", "count": 1},
    },
    "steps": {
        "embed": {
            "requests": {"cpu": "2"},
            "limits": {"cpu": "4"},
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "accelerator": {"type": "nvidia.com/gpu", "count": 2},
        }
    },
}


def fleet_with(cluster: dict[str, Any], name: str = "cars") -> Fleet:
    return small_fleet(
        {"wheel": {"labels": ["left", "right"]}},
        name=name,
        store="s3://bucket/cars",
        tracking="https://mlflow.example",
        sources=[{"photos": "s3://bucket/photos", "skill": "wheel"}],
        cluster=cluster,
    )


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return compiled_documents(fleet_with(CLUSTER))


def executors(documents: list[dict[str, Any]]) -> dict[str, Any]:
    containers: dict[str, Any] = documents[0]["deploymentSpec"]["executors"]
    return containers


def pods(documents: list[dict[str, Any]]) -> dict[str, Any]:
    settings: dict[str, Any] = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return settings


def test_the_pipeline_compiled_for_a_cluster_equals_its_golden_file(
    documents: list[dict[str, Any]], golden: Callable[[Path, str], None]
) -> None:
    stable = json.loads(json.dumps(documents))
    stable[0].pop("sdkVersion")
    for executor in executors(stable).values():
        executor["container"].pop("command")
        executor["container"].pop("args")
    golden(GOLDEN, json.dumps(stable, indent=1, sort_keys=True) + "\n")


def test_every_step_runs_in_the_image_with_the_run_id_and_the_environment(documents: list[dict[str, Any]]) -> None:
    assert len(executors(documents)) == 10
    for name, executor in executors(documents).items():
        assert executor["container"]["image"] == CLUSTER["image"]
        pod = pods(documents)[name]
        assert pod["fieldPathAsEnv"] == [{"name": "COACHWORKS_RUN", "fieldPath": "metadata.labels['pipeline/runid']"}]
        assert pod["configMapAsEnv"][0].get("optional", False) is False  # named keys are required


def test_every_pod_is_labelled_with_its_step(documents: list[dict[str, Any]]) -> None:
    labels = {name: pod["podMetadata"]["labels"] for name, pod in pods(documents).items()}
    assert labels == {name: {"coachworks.dev/step": name.removeprefix("exec-")} for name in executors(documents)}


def test_an_object_named_without_keys_is_mounted_whole(
    documents: list[dict[str, Any]],
) -> None:
    for pod in pods(documents).values():
        (mounted,) = pod["secretAsVolume"]
        assert (mounted["secretName"], mounted["mountPath"]) == (
            "coachworks",
            "/etc/coachworks/environment/0-coachworks",
        )
        assert [entry["envVar"] for entry in pod["configMapAsEnv"][0]["keyToEnv"]] == ["MLFLOW_TRACKING_URI"]


def test_resources_are_constants_also_inside_the_loop(documents: list[dict[str, Any]]) -> None:
    text = json.dumps(executors(documents))
    assert "pipelinechannel" not in text
    resources = {name: executor["container"]["resources"] for name, executor in executors(documents).items()}
    assert resources["exec-train"]["resourceCpuRequest"] == "100m"
    assert resources["exec-embed"]["resourceCpuRequest"] == "2"
    assert resources["exec-embed"]["resourceMemoryRequest"] == "768Mi"  # not set by the step: the default


def test_only_embed_and_train_get_accelerators(documents: list[dict[str, Any]]) -> None:
    counts = {
        name: executor["container"]["resources"].get("accelerator", {}).get("resourceCount")
        for name, executor in executors(documents).items()
    }
    assert {name: count for name, count in counts.items() if count} == {"exec-embed": "2", "exec-train": "1"}


def test_a_failed_step_is_retried_once(documents: list[dict[str, Any]]) -> None:
    tasks = dict(documents[0]["root"]["dag"]["tasks"])
    for component in documents[0]["components"].values():
        tasks |= component.get("dag", {}).get("tasks", {})
    retries = {name: task["retryPolicy"]["maxRetryCount"] for name, task in tasks.items() if "retryPolicy" in task}
    assert len(retries) == 10
    assert set(retries.values()) == {1}


def test_certificates_of_a_private_authority_are_mounted_for_every_client(documents: list[dict[str, Any]]) -> None:
    for name, executor in executors(documents).items():
        assert pods(documents)[name]["configMapAsVolume"][0]["mountPath"] == "/etc/coachworks/ca"
        variables = {entry["name"]: entry["value"] for entry in executor["container"]["env"]}
        assert {"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"} <= variables.keys()
        assert set(variables.values()) == {"/etc/coachworks/ca/ca.crt"}


def test_a_pipeline_version_is_named_by_its_content(tmp_path: Path) -> None:
    names = []
    for index, cluster in enumerate((CLUSTER, CLUSTER, CLUSTER | {"image": "registry.example/coachworks/steps:2"})):
        target = tmp_path / f"{index}.yaml"
        compile_pipeline(target, fleet_with(cluster))
        names.append(version_name(target))
    assert names[0] == names[1] != names[2]


def test_a_pipeline_for_steps_to_run_again_is_compiled_without_the_cache(tmp_path: Path) -> None:
    target = tmp_path / "pipeline.yaml"
    compile_pipeline(target, fleet_with(CLUSTER), cached=False)
    (pipeline, _) = read_documents(target)
    assert pipeline["root"]["dag"]["tasks"]["split"].get("cachingOptions", {}).get("enableCache") is not True


def test_the_compiled_pipeline_contains_nothing_of_the_local_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "do-not-tell")
    assert "do-not-tell" not in json.dumps(compiled_documents(fleet_with(CLUSTER)))


def test_the_pods_of_a_finished_run_stay_as_long_as_the_fleet_file_says() -> None:
    def config(keep: dict[str, int]) -> Any:
        documents = compiled_documents(fleet_with({**CLUSTER, "keepPods": keep}))
        return documents[1]["platforms"]["kubernetes"].get("pipelineConfig")

    assert config({"afterSuccessSeconds": 60}) == {"resourceTtlOnSuccess": 60}
    assert config({}) is None, "backends of 2.14 do not know the field"
    with pytest.raises(ValidationError, match=r"afterFailureSeconds\n.*greater than or equal to 60"):
        config({"afterFailureSeconds": 5})
