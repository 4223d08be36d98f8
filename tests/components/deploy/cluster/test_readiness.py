"""Waiting for rollouts: complete, in time or too late, and the cause when they do not get ready."""

import json
import threading
import time
from typing import Any

import pytest
from kubernetes_objects import (
    APPS,
    CORE,
    CRASHED,
    DEPLOYMENT,
    HASH,
    ROLLING,
    RUNNING,
    UNREADY,
    deployment,
    pod,
    replica_set,
    waiting,
)

from coachworks.errors import TransientError
from components.deploy.cluster import readiness
from components.deploy.cluster.readiness import RolloutError, wait_until_gone, wait_until_ready


@pytest.fixture
def put(api_server, monkeypatch):
    """Put Deployments, ReplicaSets, pods, events and logs into the cluster."""
    monkeypatch.setattr(readiness, "_INTERVAL_S", 0.02)

    def write(deployments=(), replica_sets=(), pods=(), events=(), logs=None):
        api_server[f"{APPS}/deployments"] = {"items": list(deployments)}
        api_server[f"{APPS}/replicasets"] = {"items": list(replica_sets)}
        api_server[f"{CORE}/pods"] = {"items": list(pods)}
        api_server[f"{CORE}/events"] = {"items": list(events)}
        for name, log in (logs or {}).items():
            api_server[f"{CORE}/pods/{name}/log"] = log

    return write


def wait(cluster, *, timeout_s: float = 5, **options: Any) -> None:
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=timeout_s, **options)


class Counted:
    """Progress that counts."""

    def __init__(self) -> None:
        self.total, self.done = 0, 0

    def task(self, name, *, total, unit):
        assert (name, unit) == ("rollout: shared", "pods")
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        """End the task."""

    def advance(self, amount=1):
        self.done += amount


def test_a_complete_rollout_is_not_waited_for(cluster, put):
    put([deployment()])
    progress = Counted()
    wait(cluster, progress=progress)
    assert (progress.total, progress.done) == (2, 2)


def test_a_wait_ends_when_the_pods_are_available(cluster, put, api_server):
    put([deployment(**ROLLING)], [replica_set()], [pod(**UNREADY)])
    threading.Timer(0.3, lambda: put([deployment()])).start()
    wait(cluster)


@pytest.mark.parametrize(
    ("reason", "message", "way_out"),
    [
        ("ImagePullBackOff", 'Back-off pulling image "serving:9"', "Push the image .* needs `imagePullSecrets`"),
        ("ErrImageNeverPull", "Container image is not present", "Push the image"),
        ("CreateContainerConfigError", 'secret "bucket" not found', "Create the Secret or ConfigMap"),
    ],
)
def test_a_permanent_problem_ends_the_wait_at_once(cluster, put, reason, message, way_out):
    put([deployment(**ROLLING)], [replica_set()], [pod(containerStatuses=[waiting(reason, message)])])
    started = time.monotonic()
    with pytest.raises(RolloutError, match=way_out) as caught:
        wait(cluster, timeout_s=60)
    assert time.monotonic() - started < 5
    assert f"cars-shared does not get ready: pod cars-shared-{HASH}-1: {reason}: {message}." in str(caught.value)
    error = caught.value
    assert (error.deployment, error.pod, error.reason, error.permanent) == (
        DEPLOYMENT,
        f"cars-shared-{HASH}-1",
        reason,
        True,
    )


def test_the_last_log_line_of_a_crashing_container_is_quoted(cluster, put):
    crashing = waiting("CrashLoopBackOff", "back-off 10s restarting failed container", name="models", **CRASHED)
    put(
        [deployment(**ROLLING)],
        [replica_set()],
        [pod(initContainerStatuses=[crashing])],
        logs={f"cars-shared-{HASH}-1": "fetching\nheads/3f.safetensors is not in s3://cars\n\n"},
    )
    with pytest.raises(RolloutError) as caught:
        wait(cluster)
    assert (
        "CrashLoopBackOff: the container models ended with exit status 1; its last log line: "
        "heads/3f.safetensors is not in s3://cars. `kubectl -n models logs cars-shared-7d4b9c6f5-1 --all-containers`"
    ) in str(caught.value)


def test_a_long_log_line_is_cut_between_two_words_and_marked(cluster, put):
    crashing = waiting("CrashLoopBackOff", "back-off 10s restarting failed container", name="models", **CRASHED)
    log = f"denied: {'permission ' * 60}\n"
    put(
        [deployment(**ROLLING)],
        [replica_set()],
        [pod(initContainerStatuses=[crashing])],
        logs={f"cars-shared-{HASH}-1": log},
    )
    with pytest.raises(RolloutError, match=r"last log line: denied: (permission ){10,}….* `kubectl -n models logs"):
        wait(cluster)


def test_a_failure_after_a_restart_is_permanent_before_the_kubelet_reports_the_back_off(cluster, put):
    ended = {"name": "answers", "restartCount": 1, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    put(
        [deployment(**ROLLING)],
        [replica_set()],
        [pod(containerStatuses=[{**ended, **CRASHED}])],
        logs={f"cars-shared-{HASH}-1": "no port\n"},
    )
    with pytest.raises(RolloutError, match="answers ended with exit status 3; its last log line: no port"):
        wait(cluster, timeout_s=60)


@pytest.mark.parametrize(
    "state",
    [
        {"restartCount": 0, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}},
        {"restartCount": 2, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
        {"restartCount": 2, "state": {"running": {}}},
    ],
    ids=["failed once", "ended well in the end", "runs in the end"],
)
def test_a_container_that_may_still_succeed_is_waited_for(cluster, put, state):
    put([deployment(**ROLLING)], [replica_set()], [pod(initContainerStatuses=[{"name": "models", **state}])])
    with pytest.raises(RolloutError, match="pods are available after 1 s") as caught:
        wait(cluster, timeout_s=1)
    assert not caught.value.permanent


def test_a_crash_for_lack_of_memory_is_named(cluster, put):
    killed = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    put(
        [deployment(**ROLLING)],
        [replica_set()],
        [pod(containerStatuses=[waiting("CrashLoopBackOff", "back-off", **killed)])],
        logs={f"cars-shared-{HASH}-1": json.dumps({"level": "info", "message": "loading"})},
    )
    with pytest.raises(RolloutError, match=r"more memory than its limit \(OOMKilled\); its last log line: loading\."):
        wait(cluster)


def test_a_permanent_problem_must_be_seen_twice(cluster, put, api_server, monkeypatch):
    put([deployment(**ROLLING)], [replica_set()], [pod(containerStatuses=[waiting("ImagePullBackOff")])])
    looks = 0

    def mend(_: float) -> None:
        nonlocal looks
        looks += 1
        put([deployment()] if looks > 3 else [deployment(**ROLLING)], [replica_set()], [pod()])

    monkeypatch.setattr(readiness.time, "sleep", mend)
    wait(cluster)
    assert looks == 4


def test_problems_of_pods_of_an_earlier_template_are_ignored(cluster, put):
    broken = pod(template="old", containerStatuses=[waiting("ImagePullBackOff")])
    replica_sets = [replica_set(template="old", revision="1"), replica_set()]
    put([deployment(**ROLLING)], replica_sets, [broken, pod(2, **UNREADY)])
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3)
    assert caught.value.pod == f"cars-shared-{HASH}-2"


def test_without_fail_fast_a_permanent_problem_is_waited_for(cluster, put):
    put([deployment(**ROLLING)], [replica_set()], [pod(containerStatuses=[waiting("ImagePullBackOff")])])
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3, fail_fast=False)
    assert "2 of 2 pods are available after 0 s; pod cars-shared-7d4b9c6f5-1: ImagePullBackOff" in str(caught.value)
    assert (caught.value.reason, caught.value.permanent) == ("ImagePullBackOff", False)


def test_pods_that_kubernetes_refuses_to_create_end_the_wait(cluster, put):
    refused = {"type": "ReplicaFailure", "status": "True", "message": 'violates PodSecurity "restricted:latest"'}
    put([deployment(**ROLLING)], [replica_set(conditions=[refused])])
    with pytest.raises(RolloutError, match='Kubernetes creates no pod: violates PodSecurity "restricted') as caught:
        wait(cluster)
    assert (caught.value.reason, caught.value.permanent) == ("FailedCreate", True)


def test_an_exceeded_progress_deadline_ends_the_wait(cluster, put):
    stalled = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    put([deployment(**ROLLING, conditions=[stalled])], [replica_set()], [pod(**UNREADY)])
    with pytest.raises(RolloutError, match="cars-shared does not get ready: ProgressDeadlineExceeded: timed out"):
        wait(cluster)


def test_a_pod_that_never_gets_ready_is_reported_with_its_probe(cluster, put):
    event = {"type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: statuscode: 503"}
    event |= {"metadata": {"name": "e"}, "lastTimestamp": "2026-01-01T00:00:00Z"}
    put(
        [deployment(**ROLLING)],
        [replica_set()],
        [pod(**UNREADY)],
        [event],
        {f"cars-shared-{HASH}-1": '{"event": "no model"}\n'},
    )
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3)
    assert "Readiness probe failed: statuscode: 503; its last log line: no model." in str(caught.value)
    assert caught.value.reason == "Timeout"


def test_an_unschedulable_pod_is_reported_at_the_timeout(cluster, put):
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    put([deployment(**ROLLING)], [replica_set()], [pod(conditions=[unfit])])
    with pytest.raises(RolloutError, match=r"Unschedulable: 0/1 nodes. No node has room or fits: lower `") as caught:
        wait(cluster, timeout_s=0.3)
    assert not caught.value.permanent


def test_a_volume_that_cannot_be_mounted_ends_the_wait(cluster, put):
    event = {"type": "Warning", "reason": "FailedMount", "message": 'configmap "cars-1" not found'}
    put([deployment(**ROLLING)], [replica_set()], [pod()], [event | {"metadata": {"name": "e"}}])
    with pytest.raises(RolloutError, match='FailedMount: configmap "cars-1" not found'):
        wait(cluster)


def test_a_timeout_without_any_pod_reports_the_available_pods(cluster, put):
    put([deployment(**ROLLING | {"availableReplicas": 1})], [replica_set()])
    with pytest.raises(RolloutError, match=r"1 of 2 pods are available after 0 s. `kubectl -n models describe deploy"):
        wait(cluster, timeout_s=0.1)


def test_the_fewest_pods_of_an_autoscaler_are_waited_for(cluster, put, monkeypatch):
    put([deployment(desired=1)])
    looks = 0

    def scale(_: float) -> None:
        nonlocal looks
        looks += 1
        scaling = deployment(desired=2, updatedReplicas=1, replicas=1, readyReplicas=1, availableReplicas=1)
        put([scaling if looks < 3 else deployment(desired=2)])

    monkeypatch.setattr(readiness.time, "sleep", scale)
    wait(cluster, autoscaled={DEPLOYMENT: 2})
    assert looks == 3


def test_the_pod_that_an_autoscaler_adds_and_that_cannot_start_ends_the_wait(cluster, put):
    event = {"type": "Warning", "reason": "FailedMount", "message": 'secret "store" not found'}
    starting = deployment(desired=2, readyReplicas=1, availableReplicas=1)
    put([starting], [replica_set()], [pod(**RUNNING), pod(2)], [event | {"metadata": {"name": "e"}}])
    with pytest.raises(RolloutError, match='FailedMount: secret "store" not found') as caught:
        wait(cluster, timeout_s=60, autoscaled={DEPLOYMENT: 2})
    assert caught.value.pod == f"cars-shared-{HASH}-2"


def test_pods_that_an_autoscaler_adds_are_not_waited_for_where_fewer_are_enough(cluster, put):
    put([deployment(desired=2, readyReplicas=1, availableReplicas=1)], [replica_set()], [pod(**RUNNING), pod(2)])
    wait(cluster, autoscaled={DEPLOYMENT: 1}, enough={DEPLOYMENT: 1})
    put([deployment(desired=2, updatedReplicas=1, availableReplicas=1)], [replica_set()])
    with pytest.raises(RolloutError, match="1 of 2 pods"):
        wait(cluster, timeout_s=0.1, enough={DEPLOYMENT: 1})


def test_an_autoscaler_that_does_not_act_is_named_at_the_timeout(cluster, put):
    put([deployment(desired=1)], [replica_set()], [pod(**RUNNING)])
    message = (
        "1 of 2 pods are available after 0 s; its autoscaler asks for no more. `kubectl -n models describe hpa "
        "cars-shared` shows more"
    )
    with pytest.raises(RolloutError, match=message):
        wait(cluster, timeout_s=0.1, autoscaled={DEPLOYMENT: 2})


def test_a_deployment_removed_by_somebody_is_named(cluster, put):
    put()
    with pytest.raises(RolloutError, match="there is no Deployment cars-shared in the namespace models: somebody"):
        wait(cluster)


def test_an_api_server_that_is_down_for_a_while_ends_no_wait(cluster, put, api_server):
    put([deployment()])
    api_server.down = True
    threading.Timer(0.3, lambda: setattr(api_server, "down", False)).start()
    wait(cluster)
    api_server.down = True
    with pytest.raises(TransientError, match="does not answer"):
        wait(cluster, timeout_s=0.2)


def test_removed_deployments_are_waited_for_until_their_pods_terminate(cluster, put):
    ending = pod(**RUNNING)
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    put([], [], [ending, pod(2, name="cars-canary-shared", **RUNNING)])
    wait_until_gone(cluster, [DEPLOYMENT], timeout_s=1)
    with pytest.raises(RolloutError, match=f"cars-canary-shared-{HASH}-2 should be gone and still exists after 0 s"):
        wait_until_gone(cluster, ["cars-canary-shared"], timeout_s=0.1)
    wait_until_gone(cluster, [], timeout_s=0.1)
