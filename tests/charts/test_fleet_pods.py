"""Pods of a fleet: their configuration, and the parts that other changes must not touch."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rendered
from fleet_values import BACKBONE, dedicated, fleet, model, skill
from rendered import Objects, container, environment, of_kind

from coachworks.models.manifest import Manifest

CHART = rendered.CHARTS / "fleet"
SETS = rendered.value_sets("fleet")
Render = Callable[..., Objects]


def templates(objects: Objects) -> dict[str, dict[str, Any]]:
    """Pod templates of the Deployments, by name."""
    return {name: document["spec"]["template"] for name, document in of_kind(objects, "Deployment").items()}


def release_of(objects: Objects, deployment: str) -> tuple[str, dict[str, str]]:
    """Name and data of the ConfigMap that a Deployment's pods have at /etc/coachworks/release."""
    spec = templates(objects)[deployment]["spec"]
    (name,) = (volume["configMap"]["name"] for volume in spec["volumes"] if volume["name"] == "release")
    return name, objects["ConfigMap", name]["data"]


def manifest_of(objects: Objects, deployment: str) -> Manifest:
    return Manifest.model_validate_json(release_of(objects, deployment)[1]["manifest.json"])


def test_the_manifest_is_as_the_bundle_has_it_exactly(render: Render) -> None:
    odd = 'What\'s "this" & <that>? \u00fc \u0085 \u2028 \u00a0 \U0001f697 {{ .Values }} \\ \n end'
    metrics = {
        "share": 0.1 + 0.2,
        "tiny": 1e-07,
        "large": 123456789012,
        "photos": 1234567,
        "vast": 1.5e300,
        "nested": {"of": [1, 0.1, -3, True, "0123", "1e5", "yes"]},
    }
    body = model("body", question=odd, labels=["no", "yes", "null", "0777"], threshold=None, metrics=metrics)
    backbone = {**BACKBONE, "mean": [0.498, 0.498, 0.498], "size_px": 224, "normalise": True}
    values = fleet(skills={"body": {"model": body}, "side": skill("side", "2")}, backbone=backbone)
    objects = render("fleet", values)
    expected = Manifest.model_validate(
        {
            "fleet": "showroom",
            "created_at": "2026-03-02T10:00:00+00:00",
            "backbone": backbone,
            "skills": {"body": body, "side": model("side", "2")},
        }
    )
    document = manifest_of(objects, "acme-shared")
    assert document == expected
    assert document.digest() == expected.digest()


def test_pods_are_told_their_group_track_and_ports(render: Render) -> None:
    objects = render("fleet", CHART / "ci/mixed-values.yaml")
    content = json.loads(release_of(objects, "acme-shared")[1]["pods.json"])
    assert content == {"group": "shared", "track": "stable", "ports": {"body-type": 9000, "side": 9001}}
    ports = container(objects, "acme-shared/answers")["ports"]
    assert [port["containerPort"] for port in ports] == [3000, 9000, 9001]
    assert ports[0]["name"] == "all"
    canary = render("fleet", CHART / "ci/canary-values.yaml")
    assert json.loads(release_of(canary, "acme-canary-shared")[1]["pods.json"])["track"] == "canary"


@pytest.mark.parametrize("name", SETS)
def test_config_maps_never_change_under_their_name(render: Render, name: str) -> None:
    objects = render("fleet", CHART / f"ci/{name}-values.yaml")
    used = {release_of(objects, deployment)[0] for deployment in of_kind(objects, "Deployment")}
    assert used == set(of_kind(objects, "ConfigMap"))
    assert all(document["immutable"] is True for document in of_kind(objects, "ConfigMap").values())
    for deployment in of_kind(objects, "Deployment"):
        manifest_of(objects, deployment)


def test_another_model_is_another_config_map_and_rolls_its_group_alone(render: Render) -> None:
    before = render("fleet", fleet())
    after = render(
        "fleet", fleet(skills={"body": skill("body", "2"), "side": dedicated("side")}, releaseDigest="5f4e3d2c1b0a")
    )
    assert templates(after)["acme-dedicated-side"] == templates(before)["acme-dedicated-side"]
    assert release_of(after, "acme-shared")[0] != release_of(before, "acme-shared")[0]
    other = render(
        "fleet", fleet(skills={"body": skill("body"), "side": dedicated("side", "2")}, releaseDigest="5f4e3d2c1b0a")
    )
    assert templates(other)["acme-shared"] == templates(before)["acme-shared"]
    assert templates(other)["acme-dedicated-side"] != templates(before)["acme-dedicated-side"]


def test_phases_of_a_deployment_touch_no_stable_pod(render: Render) -> None:
    before = templates(render("fleet", fleet()))
    new = {"body": skill("body", "2"), "side": dedicated("side", "2")}
    canary = {
        "groups": ["shared", "side"],
        "replicas": {"side": 3},
        "values": {"skills": new, "image": {"tag": "next"}},
    }
    for traffic in ("none", "stable", "all"):
        during = templates(render("fleet", fleet(traffic=traffic, canary=canary)))
        assert {name: during[name] for name in before} == before
        assert set(during) - set(before) == {"acme-canary-shared", "acme-canary-dedicated-side"}
    run = {name: {**document, "run": "another"} for name, document in fleet()["skills"].items()}
    assert templates(render("fleet", fleet(skills=run, service={"port": 80}))) == before


def test_a_promoted_canary_becomes_what_it_was(render: Render) -> None:
    new = {
        "releaseDigest": "5f4e3d2c1b0a",
        "skills": {"body": skill("body", "2"), "side": dedicated("side", "2", memory="3Gi")},
        "image": {"repository": "registry.example/serving", "tag": "next"},
        "models": {"store": "s3://team-models/next"},
        "shared": {"cpu": "3"},
        "health": {"startupSeconds": 30},
        "drainSeconds": 3,
    }
    tried = render("fleet", fleet(canary={"groups": ["shared", "side"], "values": new}))
    promoted = render("fleet", fleet(**new))
    for name in ("shared", "dedicated-side"):
        canary = json.dumps(templates(tried)[f"acme-canary-{name}"])
        config, _ = release_of(tried, f"acme-canary-{name}")
        canary = canary.replace(config, release_of(promoted, f"acme-{name}")[0]).replace('"canary"', '"stable"')
        assert json.loads(canary) == templates(promoted)[f"acme-{name}"]
        assert manifest_of(tried, f"acme-canary-{name}") == manifest_of(promoted, f"acme-{name}")
    release = of_kind(tried, "Deployment")["acme-canary-shared"]["metadata"]["annotations"][
        "coachworks.dev/release-digest"
    ]
    assert release == "5f4e3d2c1b0a"


@pytest.mark.parametrize("spare", [{}, {"replicas": 3, "cpu": "2"}])
def test_moving_a_skill_touches_no_pod_that_answers_it(render: Render, spare: dict[str, Any]) -> None:
    def skills_with(**side: Any) -> dict[str, dict[str, Any]]:
        return templates(render("fleet", fleet(skills={"body": skill("body"), "side": skill("side", **side)})))

    before, after = skills_with(layout="shared"), skills_with(layout="dedicated", **spare)
    added = skills_with(layout="shared", moving="dedicated", **spare)
    switched = skills_with(layout="dedicated", moving="shared", **spare)
    assert set(before) == {"acme-shared"}
    assert before["acme-shared"] == added["acme-shared"] == switched["acme-shared"] != after["acme-shared"]
    dedicated_pods = [way["acme-dedicated-side"] for way in (added, switched, after)]
    assert dedicated_pods == [dedicated_pods[0]] * 3


def test_another_version_of_the_chart_rolls_no_pod(render: Render, tmp_path: Path) -> None:
    chart = Path(shutil.copytree(CHART, tmp_path / "fleet"))
    about = (chart / "Chart.yaml").read_text("utf-8")
    (chart / "Chart.yaml").write_text(about.replace("0.1.0", "0.2.0"), "utf-8")
    before, after = render("fleet", fleet()), render(chart, fleet())
    assert (
        of_kind(after, "Deployment")["acme-shared"]["metadata"]["labels"]["helm.sh/chart"] == "coachworks-fleet-0.2.0"
    )
    assert templates(after) == templates(before)


def test_autoscaled_deployments_leave_their_pods_to_the_autoscaler(render: Render) -> None:
    objects = render("fleet", CHART / "ci/autoscaling-values.yaml", {"canary": {"groups": ["shared"]}})
    scaled = of_kind(objects, "HorizontalPodAutoscaler")
    assert {document["spec"]["scaleTargetRef"]["name"] for document in scaled.values()} == set(scaled)
    fixed = {name for name, document in of_kind(objects, "Deployment").items() if "replicas" in document["spec"]}
    assert fixed == {"acme-dedicated-image-quality", "acme-canary-shared"}
    shared, side = scaled["acme-shared"]["spec"], scaled["acme-dedicated-side"]["spec"]
    assert (shared["minReplicas"], shared["maxReplicas"], side["minReplicas"], side["maxReplicas"]) == (3, 10, 1, 4)
    assert shared["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert shared["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert side["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60


def test_a_skill_has_what_it_says_and_else_what_all_have(render: Render) -> None:
    objects = render("fleet", CHART / "ci/mixed-values.yaml")
    quality, shared = (container(objects, f"acme-{name}/answers") for name in ("dedicated-image-quality", "shared"))
    assert quality["image"] == "registry.example/team/serving:2026.3"  # not with the digest of the other image
    assert shared["image"].startswith("registry.example/serving@sha256:")
    assert quality["resources"] == {"requests": {"cpu": "1500m", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
    assert quality["readinessProbe"]["failureThreshold"] == 5
    assert (
        quality["readinessProbe"]["httpGet"]
        == quality["startupProbe"]["httpGet"]
        == {"path": "/healthz", "port": "all"}
    )
    assert shared["readinessProbe"] == {
        "httpGet": {"path": "/readyz", "port": "all"},
        "periodSeconds": 5,
        "timeoutSeconds": 3,
        "failureThreshold": 3,
    }
    assert shared["startupProbe"]["failureThreshold"] * shared["startupProbe"]["periodSeconds"] == 120
    assert of_kind(objects, "Deployment")["acme-dedicated-image-quality"]["spec"]["replicas"] == 3
    secrets = {name: document["spec"]["imagePullSecrets"] for name, document in templates(objects).items()}
    assert secrets == {
        "acme-shared": [{"name": "registry"}],
        "acme-dedicated-image-quality": [{"name": "team-registry"}],
    }


@pytest.mark.parametrize(
    ("cpu", "threads"), [("1", "1"), ("500m", "1"), ("1500m", "2"), ("2.5", "3"), (4, "4"), (0.5, "1")]
)
def test_a_pod_computes_with_as_many_threads_as_it_is_sure_of_cores(
    render: Render, cpu: str | float, threads: str
) -> None:
    objects = render("fleet", fleet(shared={"cpu": cpu}))
    document = container(objects, "acme-shared/answers")
    assert environment(document)["COACHWORKS_SERVING_THREADS"] == threads
    assert threads == str(math.ceil(float(str(cpu).removesuffix("m")) / (1000 if str(cpu).endswith("m") else 1)))
    assert "cpu" not in document["resources"]["limits"]


def test_variables_of_ones_own_reach_the_pod_as_they_were_written(render: Render) -> None:
    values = {"A": "x: #{y}", "B": 1000000, "C": 0.5, "D": True, "E": "", "COACHWORKS_SERVING_THREADS": "3"}
    document = environment(container(render("fleet", fleet(shared={"environment": values})), "acme-shared/answers"))
    assert {name: document[name] for name in values} == {
        **values,
        "B": "1000000",
        "C": "0.5",
        "D": "true",
    }


def test_only_the_container_that_fetches_sees_the_stores_credentials(render: Render) -> None:
    objects = render("fleet", CHART / "ci/mixed-values.yaml")
    fetch, answers = (container(objects, f"acme-shared/{name}") for name in ("models", "answers"))
    places = {mount["mountPath"]: mount for mount in fetch["volumeMounts"]}
    assert {"/etc/coachworks/environment/0-store", "/etc/coachworks/environment/1-store-credentials"} < set(places)
    assert fetch["command"] == ["python", "-m", "serving.fetch"]
    assert environment(fetch)["COACHWORKS_STORE"] == "s3://team-models/showroom"
    assert environment(fetch)["AWS_CA_BUNDLE"] == "/etc/coachworks/authority/ca.crt"
    assert "/etc/coachworks/authority" in places
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in answers["volumeMounts"]}
    assert {path for path, read_only in mounts.items() if read_only} == {"/etc/coachworks/release", "/models"}
    assert len(mounts) == 3  # and /tmp
    assert set(environment(answers)) == {"COACHWORKS_RELEASE", "COACHWORKS_BUNDLE", "COACHWORKS_SERVING_THREADS"}
    assert environment(answers)["COACHWORKS_BUNDLE"] == "/models"
    assert "command" not in answers


def test_models_in_the_image_are_fetched_from_nowhere(render: Render) -> None:
    objects = render("fleet", CHART / "ci/model-image-values.yaml")
    spec = templates(objects)["acme-shared"]["spec"]
    assert "initContainers" not in spec
    assert environment(spec["containers"][0])["COACHWORKS_BUNDLE"] == "/opt/showroom"
    assert {volume["name"] for volume in spec["volumes"]} == {"scratch", "release"}


def test_the_cluster_may_choose_the_user(render: Render) -> None:
    anybody = {"runAsUser": None, "runAsGroup": None}
    for name, spec in rendered.pods(render("fleet", fleet(securityContext=anybody))):
        assert set(spec["securityContext"]) == {"runAsNonRoot", "seccompProfile"}, name


def test_a_pod_that_stops_answers_until_everybody_has_heard(render: Render) -> None:
    spec = templates(render("fleet", fleet(drainSeconds=20)))["acme-shared"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 55
    (answers,) = spec["containers"]
    assert answers["lifecycle"]["preStop"]["exec"]["command"] == ["sh", "-c", "touch /tmp/draining; sleep 20"]
    assert answers["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "all"}


def test_pods_are_placed_as_the_values_say(render: Render) -> None:
    spec = templates(render("fleet", CHART / "ci/mixed-values.yaml"))["acme-shared"]["spec"]
    assert spec["priorityClassName"] == "answers"
    assert spec["nodeSelector"] == {"pool": "cpu"}
    assert spec["tolerations"][0]["effect"] == "NoSchedule"
    assert spec["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"
    assert (
        "topologySpreadConstraints"
        not in templates(render("fleet", fleet(topologySpread={"enabled": False})))["acme-shared"]["spec"]
    )


def test_new_pods_come_before_old_ones_go(render: Render) -> None:
    for document in of_kind(render("fleet", fleet()), "Deployment").values():
        assert document["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert document["spec"]["progressDeadlineSeconds"] == 600
