"""A fleet is installed, its layouts change, a new version takes over: no request fails."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from deployer import ACCOUNT, USER
from load import Load
from serving_fleet import SERVICES, SHORT_S, ServingFleet

from coachworks.tracking.tags import HEAD_DIGEST
from components.deploy.models.deployment_tags import DEPLOYED, deployments_of
from helms import find
from lab import S3_SECRET

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


@pytest.mark.core
def test_every_skill_answers_under_its_service_s_name(served: ServingFleet, load: Load) -> None:
    quiet = load.for_(10, "nothing happens")
    assert quiet.sent >= 30
    assert not quiet.failures
    assert {skill: set(counts) for skill, counts in quiet.by_version.items()} == {skill: {"1"} for skill in SERVICES}


@pytest.mark.core
def test_labels_and_annotations_tell_the_story(served: ServingFleet) -> None:
    label = f"app.kubernetes.io/part-of={served.name}"
    (deployment,) = served.lab.get("-n", served.name, "deployments", "-l", label)["items"]
    assert json.loads(deployment["metadata"]["annotations"]["coachworks.dev/models"]) == dict.fromkeys(SERVICES, "1")
    services = {
        each["metadata"]["name"]: each for each in served.lab.get("-n", served.name, "svc", "-l", label)["items"]
    }
    for skill, (name, port) in SERVICES.items():
        meta, spec = services[name]["metadata"], services[name]["spec"]
        tags = served.models.get_model_version(f"{served.name}.{skill}", "1").tags
        assert meta["labels"]["coachworks.dev/skill"] == skill
        assert meta["labels"]["coachworks.dev/model-version"] == "1"
        assert meta["annotations"]["coachworks.dev/model-digest"] == tags[HEAD_DIGEST]
        assert meta["annotations"]["coachworks.dev/run"]
        assert (spec["type"], spec["ports"][0]["port"]) == ("ClusterIP", port)


@pytest.mark.core
def test_mlflow_tells_where_a_version_is_deployed(served: ServingFleet) -> None:
    latest = served.history()[-1]["revision"]
    for skill in SERVICES:
        tags = served.models.get_model_version(f"{served.name}.{skill}", "1").tags
        content = deployments_of(tags)[served.name, served.name]
        assert (content["state"], content["revision"]) == (DEPLOYED, latest)


@pytest.mark.core
def test_nothing_changed_is_nothing_done(served: ServingFleet, load: Load) -> None:
    before = served.history()[-1]["revision"]
    done = served.deploy()
    assert done.report["status"] == "unchanged"
    assert served.history()[-1]["revision"] == before


@pytest.mark.core
def test_a_plan_shows_the_difference_and_touches_nothing(served: ServingFleet) -> None:
    before = served.history()[-1]["revision"]
    done = served.coachworks("deploy", "--plan", "--version", "image-quality=2")
    assert done.returncode == 0, done.stderr
    assert "canary" in done.stdout
    assert S3_SECRET not in done.stdout + done.stderr
    assert served.history()[-1]["revision"] == before


def test_the_layout_changes_and_nobody_notices(served: ServingFleet, load: Load) -> None:
    served.tell(layouts={"image-quality": "dedicated"})
    with load.counted("shared → dedicated") as there:
        done = served.deploy()
    there.note = done.stages
    assert served.pods("image-quality"), served.get("pods")
    assert done.layouts == {"image-content": "shared", "image-quality": "dedicated"}
    assert [stage["name"] for stage in done.report["stages"]] == ["add", "switch"]
    assert not there.failures
    served.tell()
    with load.counted("dedicated → shared") as back:
        done = served.deploy()
    back.note = done.stages
    assert done.layouts == dict.fromkeys(SERVICES, "shared")
    assert [each["metadata"]["name"] for each in served.get("deployments")] == [f"{served.name}-shared"]
    assert not back.failures


def test_a_renamed_skill_keeps_its_model_and_its_address_and_no_request_fails(served: ServingFleet, load: Load) -> None:
    served.tell(renamed={"image-content": "view"}, soak_s=SHORT_S)
    with load.counted("a skill is renamed") as there:
        done = served.deploy()
    there.note = done.stages
    assert done.versions == {"image-quality": "1", "view": "1"}
    assert not [line for line in there.failures if line.get("status") != 200]  # the answer has another key
    assert any("answers of ['view']" in line.get("error", "") for line in there.lines)
    names = {
        each["metadata"]["name"] for each in served.get("svc") if "coachworks.dev/skill" in each["metadata"]["labels"]
    }
    assert names == {name for name, _ in SERVICES.values()}
    with load.counted("and back") as back:
        done = served.deploy(command="rollback")
    back.note = done.stages
    assert done.versions == dict.fromkeys(SERVICES, "1")
    assert not [line for line in back.failures if line.get("status") != 200]


@pytest.mark.core
def test_a_new_version_takes_over_behind_a_canary_and_nobody_notices(served: ServingFleet, load: Load) -> None:
    with load.counted("a new release") as counted:
        done = served.deploy("--version", "image-quality=2")
    counted.note = done.stages
    assert done.report["status"] == "deployed"
    assert done.versions == {"image-content": "1", "image-quality": "2"}
    assert done.report["smoke"] >= 3
    assert {row["track"]: row["requests"] > 0 for row in done.report["soak"]} == {"stable": True, "canary": True}
    assert not counted.failures
    assert set(counted.by_version["image-quality"]) == {"1", "2"}
    assert set(counted.by_version["image-content"]) == {"1"}
    after = load.for_(4, "after it")
    assert set(after.by_version["image-quality"]) == {"2"}
    descriptions = [each["description"] for each in served.history()]
    assert any("image-quality 1 → 2 passed its smoke test and joins the Services" in text for text in descriptions)


@pytest.mark.core
def test_a_rollback_is_done_at_once_and_nobody_notices(served: ServingFleet, load: Load) -> None:
    with load.counted("coachworks rollback") as counted:
        done = served.deploy(command="rollback")
    counted.note = done.stages
    assert done.versions == dict.fromkeys(SERVICES, "1")
    assert "was not moved" in done.output
    assert not counted.failures
    assert served.deploy().report["status"] == "unchanged"


def test_models_in_the_image_need_no_store_and_helm_3_takes_over_what_helm_4_made(
    served: ServingFleet, load: Load, derived: Callable[[str, Path], None], tmp_path: Path
) -> None:
    helm3 = find("helm3")
    written = json.loads(served.coachworks("deploy", "--write-image", str(tmp_path / "image"), "--json").stdout)
    assert written["skills"] == dict.fromkeys(SERVICES, "1")
    derived(written["image"], tmp_path / "image")
    served.tell(soak_s=SHORT_S)
    with load.counted("models in the image, by Helm 3.17") as there:
        done = served.deploy("--image", written["image"], helm=helm3)
    there.note = done.stages
    assert {row["track"] for row in done.report["soak"]} == {"stable", "canary"}
    (deployment,) = served.get("deployments")
    pods = deployment["spec"]["template"]["spec"]
    assert "initContainers" not in pods
    assert [each["image"] for each in pods["containers"]] == [written["image"]]
    assert not there.failures
    with load.counted("rollback by Helm 3.17") as back:
        done = served.deploy(command="rollback", helm=helm3)
    back.note = done.stages
    assert served.get("deployments")[0]["spec"]["template"]["spec"]["initContainers"]
    assert not back.failures
    assert served.deploy().report["status"] == "unchanged", "Helm 4 finds what Helm 3 has left"


@pytest.mark.core
def test_status_shows_what_answers(served: ServingFleet) -> None:
    done = served.coachworks("status", "--json")
    release = json.loads(done.stdout)["release"]
    shown = {skill["name"]: (skill["version"], skill["ready"]) for skill in release["skills"]}
    assert shown == dict.fromkeys(SERVICES, ("1", 2))


@pytest.mark.core
def test_a_run_of_the_pipeline_ends_with_what_awaits_approval_and_waits_for_nobody(served: ServingFleet) -> None:
    deployment = served.first_run["deployment"]
    assert deployment["status"] == "awaiting-approval"
    assert deployment["skills"] == {}
    for skill in SERVICES:
        assert "its version 1 is not approved" in deployment["awaiting"][skill]
    assert served.history()[0]["description"].startswith("first installation"), "that came later, by hand"


@pytest.mark.parametrize(
    ("who", "may", "may_not"),
    [
        (
            f"system:serviceaccount:{{namespace}}:{ACCOUNT}",
            [
                "create deployments.apps",
                "patch services",
                "create secrets",
                "create pods --subresource=portforward",
                "update leases",
                "update deployments.apps",
            ],
            [
                "create pods",
                "create pods --subresource=exec",
                "delete pods",
                "create roles.rbac.authorization.k8s.io",
                "create rolebindings.rbac.authorization.k8s.io",
                "create ingresses.networking.k8s.io",
                "list nodes",
                "list namespaces",
                "get secrets -n kube-system",
                "list pods -A",
            ],
        ),
        (
            USER,
            ["list pods", "get pods --subresource=log", "list deployments.apps", "list services"],
            [
                "get secrets",
                "patch deployments.apps",
                "delete pods",
                "create pods --subresource=portforward",
                "list pods -A",
            ],
        ),
        (
            "system:serviceaccount:{namespace}:{namespace}",
            [],
            ["get pods", "get secrets", "list configmaps", "get services", "create leases", "list nodes"],
        ),
    ],
    ids=["deployer", "user", "pods"],
)
@pytest.mark.core
def test_rights_are_no_more_than_needed(served: ServingFleet, who: str, may: list[str], may_not: list[str]) -> None:
    """All tests of this file deploy with the deployer's rights: these are enough."""
    name = who.format(namespace=served.name)

    def asked(what: str) -> str:
        words = what.split()
        where = () if {"-n", "-A"} & set(words) else ("-n", served.name)
        return served.lab.kubectl("auth", "can-i", *words, *where, f"--as={name}", check=False).strip()

    assert {what: asked(what) for what in (*may, *may_not)} == dict.fromkeys(may, "yes") | dict.fromkeys(may_not, "no")
