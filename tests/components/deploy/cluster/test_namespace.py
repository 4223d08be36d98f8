"""What is told of a release's objects, and when a rollout is done, late or in vain."""

import json
import time
from typing import Any

import pytest

from coachworks.errors import InvalidConfigError, TransientError
from components.deploy.cluster import namespace as namespace_module
from components.deploy.cluster.namespace import RolloutError, open_cluster
from components.deploy.cluster.state import read_autoscaler, read_deployment, read_pod, read_service

CORE, APPS = "/api/v1/namespaces/models", "/apis/apps/v1/namespaces/models"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEPLOYMENT, HASH = "cars-shared", "7d4b9c6f5"
LABELS = {
    "app.kubernetes.io/instance": "cars",
    "coachworks.dev/group": "shared",
    "coachworks.dev/track": "stable",
}


def deployment(name: str = DEPLOYMENT, revision: str = "2", wanted: int = 2, **status: Any) -> dict[str, Any]:
    """A Deployment that is done, but for `status`."""
    done = {"observedGeneration": 4, "replicas": wanted, "updatedReplicas": wanted}
    done |= {"readyReplicas": wanted, "availableReplicas": wanted}
    return {
        "metadata": {
            "name": name,
            "generation": 4,
            "labels": LABELS,
            "annotations": {"deployment.kubernetes.io/revision": revision, "coachworks.dev/release": "3f2a"},
        },
        "spec": {"replicas": wanted},
        "status": done | status,
    }


def replica_set(name: str = DEPLOYMENT, template: str = HASH, revision: str = "2", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-{template}",
            "labels": {**LABELS, "pod-template-hash": template},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": name}],
        },
        "status": status,
    }


def pod(number: int = 1, name: str = DEPLOYMENT, template: str = HASH, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-{template}-{number}",
            "labels": {**LABELS, "pod-template-hash": template},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-{template}"}],
        },
        "spec": {"containers": [{"name": "answers"}]},
        "status": {"phase": "Pending"} | status,
    }


def waiting(reason: str, message: str = "", *, name: str = "answers", **more: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": 3, "state": {"waiting": {"reason": reason, "message": message}}} | more


RUNNING = {"phase": "Running", "podIP": "10.244.0.9", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
CRASHED = {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
UNDER_WAY = {"updatedReplicas": 1, "availableReplicas": 2, "replicas": 3}


@pytest.fixture
def put(api_server, monkeypatch):
    """Put Deployments, ReplicaSets, pods, events and logs into the cluster."""
    monkeypatch.setattr(namespace_module, "_EVERY_S", 0.02)

    def put(deployments=(), replica_sets=(), pods=(), events=(), logs=None):
        api_server[f"{APPS}/deployments"] = {"items": list(deployments)}
        api_server[f"{APPS}/replicasets"] = {"items": list(replica_sets)}
        api_server[f"{CORE}/pods"] = {"items": list(pods)}
        api_server[f"{CORE}/events"] = {"items": list(events)}
        for name, log in (logs or {}).items():
            api_server[f"{CORE}/pods/{name}/log"] = log

    return put


def wait(cluster, *, timeout_s: float = 5, **options: Any) -> None:
    cluster.wait("cars", [DEPLOYMENT], timeout_s=timeout_s, **options)


# -- which cluster


def test_the_namespace_is_the_context_s_unless_another_is_named(api_server):
    assert open_cluster().namespace == "of-context"
    assert open_cluster("models").namespace == "models"
    assert open_cluster().name == "test"


def test_where_nothing_names_a_cluster_the_way_out_is_told(api_server, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(InvalidConfigError, match=r"nothing says which Kubernetes cluster is meant. Let KUBE"):
        open_cluster()


def test_a_context_that_is_not_there_is_named(api_server, monkeypatch):
    monkeypatch.setenv("HELM_KUBECONTEXT", "elsewhere")
    with pytest.raises(InvalidConfigError, match="no context 'elsewhere', which HELM_KUBECONTEXT names"):
        open_cluster()


def test_a_kubeconfig_that_is_no_kubeconfig_is_refused(api_server, tmp_path):
    (tmp_path / "kubeconfig").write_text("apiVersion: [\n")
    with pytest.raises(InvalidConfigError, match=r"(?s)the kubeconfig cannot be read: .* Let KUBECONFIG name"):
        open_cluster()


def test_a_cluster_that_does_not_answer_is_said_to_be_so(api_server):
    api_server.down = True
    with pytest.raises(TransientError, match=r"the cluster 'test' at http://127.0.0.1:[0-9]+ does not answer"):
        open_cluster()


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, InvalidConfigError, "does not know who is asking \\(401\\).*log in to the cluster anew"),
        (503, TransientError, "is busy \\(503\\)"),
        (429, TransientError, "is busy \\(429\\)"),
    ],
)
def test_what_the_server_refuses_is_told(api_server, status, kind, said):
    api_server["/version"] = status
    with pytest.raises(kind, match=said):
        open_cluster()


def test_a_right_that_is_missing_is_named(cluster, api_server):
    said = 'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" in the '
    api_server[f"{CORE}/pods"] = (403, f'{said}namespace "models"')
    with pytest.raises(InvalidConfigError) as caught:
        cluster.pods("cars")
    assert "does not let system:serviceaccount:a:b list pods in the namespace 'models'." in str(caught.value)
    assert "Ask an administrator to install charts/platform with `rbac.create`" in str(caught.value)


def test_rights_are_asked_for_as_kubernetes_has_them(cluster, api_server):
    api_server[REVIEW] = {"status": {"allowed": True}}
    assert cluster.can("create", "deployments.apps")
    api_server[REVIEW] = {"status": {"allowed": False}}
    assert not cluster.can("get", "pods", "portforward")


# -- what is there


def test_a_pod_is_told_with_its_deployment_group_and_track():
    state = read_pod(pod(**RUNNING, containerStatuses=[{"name": "answers", "restartCount": 2, "state": {}}]))
    assert (state.deployment, state.group, state.track, state.template) == (DEPLOYMENT, "shared", "stable", HASH)
    assert (state.ready, state.restarts, state.phase, state.address) == (True, 2, "Running", "10.244.0.9")
    assert (state.trouble, state.lasting, state.container) == ("", False, "answers")


def test_a_pod_that_ends_is_not_ready():
    ending = pod(**RUNNING)
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    state = read_pod(ending)
    assert (state.terminating, state.ready, state.phase) == (True, False, "Terminating")


def test_a_deployment_is_done_when_all_its_pods_are_new_and_available():
    assert read_deployment(deployment()).done
    assert not read_deployment(deployment(**UNDER_WAY)).done
    assert not read_deployment(deployment(replicas=3)).done, "an old pod is still there"
    assert not read_deployment(deployment(observedGeneration=3)).done
    assert read_deployment(deployment(wanted=0)).done
    assert read_deployment(deployment()).annotations["coachworks.dev/release"] == "3f2a"


def test_a_service_and_an_autoscaler_are_told():
    service = read_service(
        {
            "metadata": {"name": "body-type", "labels": {"coachworks.dev/skill": "body-type"}},
            "spec": {"ports": [{"port": 9722, "targetPort": "s-1f"}], "selector": {"coachworks.dev/group": "shared"}},
        }
    )
    assert (service.name, service.port, service.target_port) == ("body-type", 9722, "s-1f")
    assert service.selector == {"coachworks.dev/group": "shared"}
    spec = {"scaleTargetRef": {"name": DEPLOYMENT}, "minReplicas": 2, "maxReplicas": 6}
    target = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}
    seen = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 31}}}
    scaler: dict[str, Any] = {"metadata": {"name": DEPLOYMENT}, "spec": {**spec, "metrics": [target]}}
    state = read_autoscaler({**scaler, "status": {"currentReplicas": 3, "currentMetrics": [seen]}})
    assert (state.least, state.most, state.pods, state.target, state.seen) == (2, 6, 3, 70, 31)
    assert read_autoscaler(scaler).seen is None


def test_lists_ask_for_the_release_alone_and_are_in_order(cluster, api_server, put):
    put(pods=[pod(2), pod(1)])
    assert [state.name[-1] for state in cluster.pods("cars", group="shared", track="stable")] == ["1", "2"]
    (asked,) = [line for line in api_server.asked if line.startswith(f"GET {CORE}/pods?")]
    assert "app.kubernetes.io%2Finstance%3Dcars%2Ccoachworks.dev%2Fgroup%3Dshared" in asked
    api_server["/apis/autoscaling/v2/namespaces/models/horizontalpodautoscalers"] = {"items": []}
    api_server[f"{CORE}/services"] = {"items": []}
    assert cluster.autoscalers("cars") == cluster.services("cars") == []


# -- waiting


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
        """Nothing."""

    def advance(self, amount=1):
        self.done += amount


def test_what_is_done_is_not_waited_for(cluster, put):
    put([deployment()])
    progress = Counted()
    wait(cluster, progress=progress)
    assert (progress.total, progress.done) == (2, 2)


def test_a_wait_ends_when_the_pods_are_there(cluster, put, api_server):
    import threading

    put([deployment(**UNDER_WAY)], [replica_set()], [pod(**UNREADY)])
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
def test_trouble_that_lasts_ends_the_wait_at_once(cluster, put, reason, message, way_out):
    put([deployment(**UNDER_WAY)], [replica_set()], [pod(containerStatuses=[waiting(reason, message)])])
    started = time.monotonic()
    with pytest.raises(RolloutError, match=way_out) as caught:
        wait(cluster, timeout_s=60)
    assert time.monotonic() - started < 5
    assert f"cars-shared does not get ready: pod cars-shared-{HASH}-1: {reason}: {message}." in str(caught.value)
    error = caught.value
    assert (error.deployment, error.pod, error.reason, error.lasting) == (
        DEPLOYMENT,
        f"cars-shared-{HASH}-1",
        reason,
        True,
    )


def test_a_container_that_crashes_again_and_again_is_quoted(cluster, put):
    crashing = waiting("CrashLoopBackOff", "back-off 10s restarting failed container", name="models", **CRASHED)
    put(
        [deployment(**UNDER_WAY)],
        [replica_set()],
        [pod(initContainerStatuses=[crashing])],
        logs={f"cars-shared-{HASH}-1": "fetching\nheads/3f.safetensors is not in s3://cars\n\n"},
    )
    with pytest.raises(RolloutError) as caught:
        wait(cluster)
    assert (
        "CrashLoopBackOff: the container models ended with exit status 1; it said last: "
        "heads/3f.safetensors is not in s3://cars. `kubectl -n models logs cars-shared-7d4b9c6f5-1 --all-containers`"
    ) in str(caught.value)


def test_a_container_that_has_failed_again_is_not_waited_for_while_the_kubelet_is_late_to_call_it_a_loop(cluster, put):
    ended = {"name": "answers", "restartCount": 1, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    put(
        [deployment(**UNDER_WAY)],
        [replica_set()],
        [pod(containerStatuses=[{**ended, **CRASHED}])],
        logs={f"cars-shared-{HASH}-1": "no port\n"},
    )
    with pytest.raises(RolloutError, match="the container answers ended with exit status 3; it said last: no port"):
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
def test_a_container_that_may_still_come_round_is_waited_for(cluster, put, state):
    put([deployment(**UNDER_WAY)], [replica_set()], [pod(initContainerStatuses=[{"name": "models", **state}])])
    with pytest.raises(RolloutError, match="pods are available after 1 s") as caught:
        wait(cluster, timeout_s=1)
    assert not caught.value.lasting


def test_a_crash_for_want_of_memory_is_named(cluster, put):
    killed = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    put(
        [deployment(**UNDER_WAY)],
        [replica_set()],
        [pod(containerStatuses=[waiting("CrashLoopBackOff", "back-off", **killed)])],
        logs={f"cars-shared-{HASH}-1": json.dumps({"level": "info", "message": "loading"})},
    )
    with pytest.raises(RolloutError, match=r"needed more memory than its limit \(OOMKilled\); it said last: loading\."):
        wait(cluster)


def test_one_look_is_not_enough_to_give_up(cluster, put, api_server, monkeypatch):
    put([deployment(**UNDER_WAY)], [replica_set()], [pod(containerStatuses=[waiting("ImagePullBackOff")])])
    looks = 0

    def mend(_: float) -> None:
        nonlocal looks
        looks += 1
        put([deployment()] if looks > 3 else [deployment(**UNDER_WAY)], [replica_set()], [pod()])

    monkeypatch.setattr(namespace_module.time, "sleep", mend)
    wait(cluster)
    assert looks == 4


def test_the_trouble_of_old_pods_is_not_that_of_the_new(cluster, put):
    broken = pod(template="old", containerStatuses=[waiting("ImagePullBackOff")])
    replica_sets = [replica_set(template="old", revision="1"), replica_set()]
    put([deployment(**UNDER_WAY)], replica_sets, [broken, pod(2, **UNREADY)])
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3)
    assert caught.value.pod == f"cars-shared-{HASH}-2"


def test_patience_waits_for_what_lasts_too(cluster, put):
    put([deployment(**UNDER_WAY)], [replica_set()], [pod(containerStatuses=[waiting("ImagePullBackOff")])])
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3, fail_fast=False)
    assert "2 of 2 pods are available after 0 s; pod cars-shared-7d4b9c6f5-1: ImagePullBackOff" in str(caught.value)
    assert (caught.value.reason, caught.value.lasting) == ("ImagePullBackOff", False)


def test_pods_that_kubernetes_refuses_to_make_end_the_wait(cluster, put):
    refused = {"type": "ReplicaFailure", "status": "True", "message": 'violates PodSecurity "restricted:latest"'}
    put([deployment(**UNDER_WAY)], [replica_set(conditions=[refused])])
    with pytest.raises(RolloutError, match='Kubernetes makes no pod: violates PodSecurity "restricted') as caught:
        wait(cluster)
    assert (caught.value.reason, caught.value.lasting) == ("FailedCreate", True)


def test_what_kubernetes_itself_gave_up_ends_the_wait(cluster, put):
    given_up = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    put([deployment(**UNDER_WAY, conditions=[given_up])], [replica_set()], [pod(**UNREADY)])
    with pytest.raises(RolloutError, match="cars-shared does not get ready: ProgressDeadlineExceeded: timed out"):
        wait(cluster)


def test_a_pod_that_runs_but_never_gets_ready_is_told_with_its_probe(cluster, put):
    event = {"type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: statuscode: 503"}
    event |= {"metadata": {"name": "e"}, "lastTimestamp": "2026-01-01T00:00:00Z"}
    put(
        [deployment(**UNDER_WAY)],
        [replica_set()],
        [pod(**UNREADY)],
        [event],
        {f"cars-shared-{HASH}-1": '{"event": "no model"}\n'},
    )
    with pytest.raises(RolloutError) as caught:
        wait(cluster, timeout_s=0.3)
    assert "Readiness probe failed: statuscode: 503; it said last: no model." in str(caught.value)
    assert caught.value.reason == "Timeout"


def test_a_pod_that_fits_no_node_is_told_at_the_end(cluster, put):
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    put([deployment(**UNDER_WAY)], [replica_set()], [pod(conditions=[unfit])])
    with pytest.raises(RolloutError, match=r"Unschedulable: 0/1 nodes. No node has room or fits: lower `") as caught:
        wait(cluster, timeout_s=0.3)
    assert not caught.value.lasting


def test_a_volume_that_cannot_be_mounted_ends_the_wait(cluster, put):
    event = {"type": "Warning", "reason": "FailedMount", "message": 'configmap "cars-1" not found'}
    put([deployment(**UNDER_WAY)], [replica_set()], [pod()], [event | {"metadata": {"name": "e"}}])
    with pytest.raises(RolloutError, match='FailedMount: configmap "cars-1" not found'):
        wait(cluster)


def test_a_wait_without_any_pod_says_how_far_it_got(cluster, put):
    put([deployment(**UNDER_WAY | {"availableReplicas": 1})], [replica_set()])
    with pytest.raises(RolloutError, match=r"1 of 2 pods are available after 0 s. `kubectl -n models describe deploy"):
        wait(cluster, timeout_s=0.1)


def test_a_deployment_that_somebody_removed_is_named(cluster, put):
    put()
    with pytest.raises(RolloutError, match="there is no Deployment cars-shared in the namespace models: somebody"):
        wait(cluster)


def test_an_api_server_that_is_away_for_a_while_ends_no_wait(cluster, put, api_server):
    import threading

    put([deployment()])
    api_server.down = True
    threading.Timer(0.3, lambda: setattr(api_server, "down", False)).start()
    wait(cluster)
    api_server.down = True
    with pytest.raises(TransientError, match="does not answer"):
        wait(cluster, timeout_s=0.2)


def test_removed_deployments_are_waited_for_until_their_pods_end(cluster, put):
    ending = pod(**RUNNING)
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    put([], [], [ending, pod(2, name="cars-canary-shared", **RUNNING)])
    cluster.gone("cars", [DEPLOYMENT], timeout_s=1)
    with pytest.raises(RolloutError, match=f"cars-canary-shared-{HASH}-2 should be gone, and is still there after 0 s"):
        cluster.gone("cars", ["cars-canary-shared"], timeout_s=0.1)
    cluster.gone("cars", [], timeout_s=0.1)
