"""Pods are deleted, scaled and evicted, deployers are killed: the fleet keeps answering."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from load import RESTRICTED, Load, start_load
from serving_fleet import PODS, SERVICES, SHORT_S, ServingFleet

from coachworks.tracking.tags import HEAD_DIGEST
from lab import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
CLIENTS = 2 * len(SERVICES)  # so many requests may be under way at a time
# The process that answers is the child of the one that the container began with, which keeps the sockets.
KILL = """
import os, pathlib, signal
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    told = stat.read_text().rpartition(")")[2].split()
    if told[1] == "1":
        os.kill(int(stat.parent.name), signal.SIGKILL)
        print("killed", stat.parent.name, (stat.parent / "cmdline").read_text().replace(chr(0), " "))
"""
CONNECT = "import socket; socket.create_connection(({host!r}, {port}), 4).close(); print('connected')"


def python_in(served: ServingFleet, pod: str, code: str, *, namespace: str = "", container: str = "answers") -> Any:
    """Run a line of Python in a container, as the administrator."""
    command = ["kubectl", "exec", "-n", namespace or served.name, pod, "-c", container, "--", "python", "-c", code]
    return subprocess.run(command, env=served.lab.client, capture_output=True, text=True, check=False, timeout=60)


def all_ready(served: ServingFleet, pods: int = PODS) -> bool:
    """Return whether exactly this many pods exist, and all are ready."""
    conditions = [
        {each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in served.get("pods")
    ]
    return [each.get("Ready") for each in conditions] == ["True"] * pods


def test_a_pod_that_is_deleted_is_missed_by_nobody(served: ServingFleet, load: Load) -> None:
    with load.counted("a pod deleted") as counted:
        served.lab.kubectl("-n", served.name, "delete", "pod", served.pods()[0], "--wait=false")
        until("two pods again", lambda: all_ready(served), within_s=90)
    assert not counted.failures


def test_a_process_that_is_killed_takes_only_what_was_in_flight(served: ServingFleet, load: Load) -> None:
    with load.counted("a pod's process killed with SIGKILL") as counted:
        killed = python_in(served, served.pods()[0], KILL)
        time.sleep(12)
    assert killed.stdout.startswith("killed"), f"{killed.stdout}\n{killed.stderr}"
    counted.note = f"the slowest answer waited {counted.longest_s:.1f} s for the process to be replaced"
    assert len(counted.failures) <= CLIENTS
    until("two pods again", lambda: all_ready(served), within_s=60)


def test_pods_follow_the_load_and_the_budget_holds(served: ServingFleet, load: Load) -> None:
    scaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 3, "cpuUtilization": 250, "scaleDownSeconds": 10}
    served.tell(shared={"autoscaling": scaling}, soak_s=SHORT_S)
    served.deploy()
    with load.counted("load up, load down") as counted:
        crowd = start_load(
            served.lab,
            served.name,
            "crowd",
            image=served.image,
            photo=served.photo,
            targets=served.targets,
            cases=[],
            rounds=4,
            period_s=0.02,
        )
        try:
            until("a third pod", lambda: len(served.pods()) == 3, within_s=120)
        finally:
            crowd.stop()
        until("two pods again", lambda: len(served.pods()) == PODS, within_s=180)
    assert not counted.failures
    until("no pod that ends", lambda: all_ready(served), within_s=60)
    with load.counted("two evictions, of which the budget forbids one") as counted:
        answers = [evict(served, pod) for pod in served.pods()]
        until("two pods again", lambda: all_ready(served), within_s=90)
    assert [answer.returncode for answer in answers] == [0, 1]
    assert "disruption budget" in answers[1].stderr
    assert not counted.failures
    served.tell(soak_s=SHORT_S)
    served.deploy()


def evict(served: ServingFleet, pod: str) -> "subprocess.CompletedProcess[str]":
    """Ask Kubernetes to evict a pod, as `kubectl drain` does."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": served.name}}
    path = f"/api/v1/namespaces/{served.name}/pods/{pod}/eviction"
    command = ["kubectl", "create", "--raw", path, "-f", "-"]
    return subprocess.run(
        command, env=served.lab.client, input=json.dumps(eviction), capture_output=True, text=True, check=False
    )


def test_two_deployers_do_not_meet_and_what_a_killed_one_left_is_put_in_order(served: ServingFleet, load: Load) -> None:
    with load.counted("a second deployer; the first killed mid-canary") as counted:
        first = served.start_deploying("--version", "image-quality=2")
        try:
            until("the canary", lambda: served.pods(track="canary"), within_s=60)
            second = served.deploy("--version", "image-quality=2", expect=1)
            until("traffic", lambda: "joins the Services" in served.history()[-1]["description"], within_s=90)
        finally:
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    assert "is being changed by" in second.output
    assert not counted.failures
    served.tell(soak_s=SHORT_S)
    with load.counted("the next deployer") as counted:
        done = until("the lease is free", lambda: tried(served, "--version", "image-quality=2"), within_s=90, every_s=5)
    assert "was not finished" in " ".join(done.stderr.split())
    assert json.loads(done.stdout)["skills"]["image-quality"]["version"] == "2"
    assert not counted.failures
    served.deploy(command="rollback")


def tried(served: ServingFleet, *arguments: str) -> "subprocess.CompletedProcess[str] | None":
    """Run `coachworks deploy`; return None while another deployer's lease has not expired."""
    done = served.coachworks("deploy", "--json", *arguments)
    return done if done.returncode == 0 else None


def test_a_critical_skill_waits_for_its_approval(served: ServingFleet, load: Load) -> None:
    model, to = f"{served.name}.image-quality", ("--version", "image-quality=2")
    for skill in SERVICES:
        assert served.coachworks("approve", skill, "1", "--by", "ada").returncode == 0
    served.tell(critical=["image-quality"], soak_s=SHORT_S)
    missing = served.deploy(*to, expect=3)
    assert missing.report["status"] == "awaiting-approval"
    assert missing.versions["image-quality"] == "1"
    assert "coachworks approve image-quality 2" in missing.report["awaiting"]["image-quality"]
    other = served.models.get_model_version(model, "1").tags[HEAD_DIGEST]
    assert served.coachworks("approve", "image-quality", "2", "--by", "ada").returncode == 0
    served.models.set_model_version_tag(model, "2", "coachworks.approved_digest", other)
    stale = served.deploy(*to, expect=3)
    assert other[:12] in stale.report["awaiting"]["image-quality"]
    assert served.coachworks("approve", "image-quality", "2", "--by", "ada").returncode == 0
    with load.counted("a critical skill, approved") as counted:
        done = served.deploy(*to)
    assert done.versions["image-quality"] == "2"
    assert not counted.failures
    served.tell()
    served.deploy(command="rollback")


@contextmanager
def stranger(served: ServingFleet) -> Iterator[str]:
    """Start a pod with Python in another namespace; yield the namespace."""
    namespace = f"{served.name}-other"
    container = {
        "name": "answers",
        "image": served.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "600"],
        "securityContext": RESTRICTED,
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    served.lab.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": namespace}, "spec": spec},
    )
    try:
        served.lab.kubectl("-n", namespace, "wait", "pod/other", "--for=condition=Ready", "--timeout=60s")
        yield namespace
    finally:
        served.lab.kubectl("delete", "namespace", namespace, "--wait=false")


def test_who_may_not_talk_cannot(served: ServingFleet, load: Load) -> None:
    name, port = SERVICES["image-content"]
    ours = CONNECT.format(host=f"{name}.{served.name}", port=port)
    with stranger(served) as namespace:
        tries: dict[str, Callable[[], Any]] = {
            "a neighbour to the service": lambda: python_in(served, "load", ours, container="asks"),
            "a stranger to the service": lambda: python_in(served, "other", ours, namespace=namespace),
            "a pod to its store": lambda: python_in(
                served, served.pods()[0], CONNECT.format(host=served.lab.node, port=19000)
            ),
            "a pod to the API server": lambda: python_in(
                served, served.pods()[0], CONNECT.format(host="kubernetes.default", port=443)
            ),
            "a pod to Kubeflow": lambda: python_in(
                served, served.pods()[0], CONNECT.format(host=served.lab.node, port=8888)
            ),
        }
        reached = {what: "connected" in attempt().stdout for what, attempt in tries.items()}
    assert reached == {
        "a neighbour to the service": True,
        "a stranger to the service": False,
        "a pod to its store": True,
        "a pod to the API server": False,
        "a pod to Kubeflow": False,
    }
    assert not load.for_(3, "after all that").failures


def test_what_nothing_names_leaves_the_bucket_and_pods_find_all_else(served: ServingFleet, load: Load) -> None:
    model = f"{served.name}.image-content"
    for alias in served.models.get_model_version(model, "2").aliases:
        served.models.delete_registered_model_alias(model, alias)
    done = served.coachworks("prune", "--older-than", "0s", "--json")
    assert done.returncode == 0, done.stderr
    heads = [model for model in json.loads(done.stdout)["models"] if model["kind"] == "head"]
    removed = {version: model["removed"] for model in heads for version in model["versions"]}
    assert (removed["image-content v1"], removed["image-content v2"]) == (False, True)
    assert not [version for version in named_by_revisions(served) if removed[version]]
    with load.counted("coachworks prune, and a new pod after it") as counted:
        served.lab.kubectl("-n", served.name, "delete", "pod", served.pods()[0], "--wait=false")
        until("two pods again", lambda: all_ready(served), within_s=90)
    assert not counted.failures
    left = {model["of"] for model in json.loads(served.coachworks("prune", "--dry-run", "--json").stdout)["models"]}
    assert "image-content v2" not in left


def named_by_revisions(served: ServingFleet) -> set[str]:
    """Return the versions that the revisions of the release name, read from Helm."""
    named: set[str] = set()
    for revision in served.history():
        where = ("-n", served.name, "--revision", str(revision["revision"]), "-o", "json")
        values = json.loads(served.lab.call("helm", "get", "values", served.name, *where))
        for part in (values, values.get("canary", {}).get("values", {})):
            named |= {f"{skill} v{entry['model']['version']}" for skill, entry in part.get("skills", {}).items()}
    return named
