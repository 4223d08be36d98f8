"""Helm, pods, port-forwards and leases on a real cluster, with a tiny chart of the test's own."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from components.deploy.cluster.lease import BusyError, LeaseLock, hold_lease
from components.deploy.cluster.namespace import Cluster, open_cluster
from components.deploy.cluster.pod_http import PodClient
from components.deploy.cluster.readiness import RolloutError, wait_until_gone, wait_until_ready
from components.deploy.drift import find_drift, mend
from components.deploy.helm.client import Helm, HelmError, UnfinishedError
from components.deploy.helm.manifests import parse_objects
from helms import BOTH, find
from lab import Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

IMAGE = "lab/pause:1"  # busybox: the lab always has it
RELEASE, DEPLOYMENT = "tiny", "tiny-shared"
SERVES = "echo {text} > /tmp/index.html; exec busybox httpd -f -p 3000 -h /tmp"
DEPLOYMENT_YAML = """\
{{- $labels := dict "app.kubernetes.io/instance" .Release.Name }}
{{- $labels = merge $labels (dict "coachworks.dev/group" "shared" "coachworks.dev/track" "stable") }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-shared, labels: {{ toJson $labels }}}
spec:
  {{- if not .Values.fewest }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {{ toJson $labels }}}
  template:
    metadata: {labels: {{ toJson $labels }}}
    spec:
      terminationGracePeriodSeconds: 1
      {{- with .Values.init }}
      initContainers:
        - {name: models, image: {{ $.Values.image }}, command: [/bin/busybox, sh, -c, {{ toJson . }}]}
      {{- end }}
      containers:
        - name: answers
          image: {{ .Values.image }}
          command: [/bin/busybox, sh, -c, {{ toJson .Values.command }}]
          resources: {requests: {cpu: 10m, memory: 16Mi}}
          readinessProbe: {httpGet: {path: {{ .Values.probe }}, port: 3000}, periodSeconds: 1}
"""
AUTOSCALER_YAML = """\
{{- with .Values.fewest }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: {{ $.Release.Name }}-shared}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $.Release.Name }}-shared}
  minReplicas: {{ . }}
  maxReplicas: 4
{{- end }}
"""
HOOK_YAML = """\
{{- if .Values.stuck }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-stuck
  annotations:
    helm.sh/hook: {{ .Values.stuck }}
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: stuck, image: {{ .Values.image }}, command: [/bin/busybox, sleep, "300"]}]
{{- end }}
"""


def values(text: str = "hello", **more: Any) -> dict[str, Any]:
    defaults = {
        "image": IMAGE,
        "command": SERVES.format(text=text),
        "probe": "/",
        "replicas": 1,
        "init": "",
        "stuck": False,
        "fewest": 0,
    }
    return defaults | more


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chart") / "tiny"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (folder / "templates/deployment.yaml").write_text(DEPLOYMENT_YAML)
    (folder / "templates/autoscaler.yaml").write_text(AUTOSCALER_YAML)
    (folder / "templates/hook.yaml").write_text(HOOK_YAML)
    return folder


@pytest.fixture
def namespace(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"cw7-kube-{uuid.uuid4().hex[:6]}"
    monkeypatch.setenv("KUBECONFIG", lab.environ["KUBECONFIG"])
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def cluster(namespace: str) -> Cluster:
    return open_cluster(RELEASE, namespace)


@pytest.fixture
def helm(chart: Path, namespace: str) -> Callable[..., Helm]:
    """A function that returns the release, with the command `helm` or `helm3`."""

    def make(command: str = "helm", **options: Any) -> Helm:
        return Helm(namespace, RELEASE, chart, environ=os.environ | {"COACHWORKS_HELM": find(command)}, **options)

    return make


def kill_in_the_middle(act: Callable[[], Any], helm: Helm, status: str) -> None:
    """Start `act` in a process of its own; kill it and helm when the release is in `status`."""
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            act()
        finally:
            os._exit(0)
    try:
        until(status, lambda: (release := helm.status()) is not None and release.status == status, within_s=60)
    finally:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


@BOTH
def test_a_release_from_its_installation_to_its_end(command, helm, cluster):
    release = helm(command, keep=3)
    assert release.status() is None
    assert release.history() == []
    assert release.upgrade(values("one", extra={"a": 1}), "the first: {one}, 'quoted'") == 1
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    assert release.upgrade(values("two", replicas=2), "the second") == 2
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    (latest,) = [release.status()]
    assert (latest.number, latest.status, latest.description) == (2, "deployed", "the second")
    assert release.values() == values("two", replicas=2), "values of before do not linger"
    assert release.values(1) == values("one", extra={"a": 1})
    assert "echo one" in release.manifest(1)
    assert "echo two" in release.manifest()
    with pytest.raises(NotFoundError, match="no such release or revision of 'tiny'"):
        release.values(9)
    assert release.rollback(1) == 3
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    until("one pod", lambda: len([pod for pod in cluster.pods() if not pod.terminating]) == 1, within_s=20)
    assert [(revision.number, revision.status) for revision in release.history()] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    with pytest.raises(NotFoundError):
        release.rollback(7)
    assert release.upgrade(values("one"), "the fourth") == 4
    assert [revision.number for revision in release.history()] == [2, 3, 4], "Helm keeps three revisions"
    release.uninstall()
    wait_until_gone(cluster, [DEPLOYMENT], timeout_s=30)
    assert release.status() is None
    release.uninstall()


def test_an_installation_that_was_killed_is_removed(helm, cluster):
    release = helm()
    kill_in_the_middle(lambda: release.upgrade(values(stuck="pre-install"), "killed"), release, "pending-install")
    with pytest.raises(UnfinishedError, match=r"an install, upgrade or rollback of 'tiny' .* or was killed"):
        release.upgrade(values(), "refused")
    assert "revision 1 was left unfinished (pending-install): removed the release" in release.recover()
    assert release.recover() is None
    assert release.upgrade(values(), "anew") == 1
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)


@BOTH
def test_an_upgrade_that_was_killed_is_taken_back(command, helm, cluster):
    release = helm(command)
    release.upgrade(values("one"), "the first")
    kill_in_the_middle(
        lambda: release.upgrade(values("two", stuck="pre-upgrade"), "killed"), release, "pending-upgrade"
    )
    with pytest.raises(UnfinishedError):
        release.upgrade(values(), "refused")
    assert release.recover() == "revision 2 was left unfinished (pending-upgrade): back to revision 1, as revision 3"
    assert release.values() == values("one")
    assert release.status().status == "deployed"
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    assert release.upgrade(values("three"), "goes on") == 4


def test_a_rollback_that_was_killed_is_taken_back(helm, cluster):
    release = helm()
    release.upgrade(values("one", stuck="pre-rollback"), "the first")
    release.upgrade(values("two"), "the second")
    kill_in_the_middle(lambda: release.rollback(1), release, "pending-rollback")
    with pytest.raises(UnfinishedError):
        release.upgrade(values(), "refused")
    assert release.recover() == "revision 3 was left unfinished (pending-rollback): back to revision 2, as revision 4"
    assert release.values() == values("two")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)


def test_what_somebody_scaled_or_changed_by_hand_is_overwritten(helm, cluster, lab, namespace):
    release = helm()
    release.upgrade(values(), "the first")
    lab.kubectl("-n", namespace, "scale", "deployment", DEPLOYMENT, "--replicas=3")
    lab.kubectl("-n", namespace, "set", "image", f"deployment/{DEPLOYMENT}", "answers=lab/other:1")
    release.upgrade(values(replicas=2), "the second")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    (state,) = cluster.deployments()
    assert state.desired == 2


@BOTH
def test_what_somebody_added_or_removed_is_seen_and_taken_back_which_helm_alone_does_not(
    command, helm, cluster, lab, namespace
):
    release, target = helm(command), f"deployment/{DEPLOYMENT}"
    release.upgrade(values(), "the first")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    objects = parse_objects(release.manifest())
    lab.kubectl("-n", namespace, "rollout", "restart", target)
    assert not find_drift(cluster, objects), "a restart changes no setting"
    lab.kubectl("-n", namespace, "set", "env", target, "HANDMADE=yes")
    lab.kubectl("-n", namespace, "set", "image", target, "answers=lab/other:1")
    drift = find_drift(cluster, objects)
    seen = {change.field.rpartition("spec.")[2]: (change.live, change.released) for change in drift.changes}
    assert seen == {
        "containers[answers].env": ('[{"name": "HANDMADE", "value": "yes"}]', None),
        "containers[answers].image": ('"lab/other:1"', f'"{IMAGE}"'),
    }
    assert {change.manager for change in drift.changes} == {"kubectl-set"}
    release.upgrade(values(), "the second")
    assert [change.field for change in find_drift(cluster, objects).changes] == [
        "spec.template.spec.containers[answers].env"
    ]
    mend(cluster, drift, objects)
    assert not find_drift(cluster, objects)
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)


def test_a_rollout_is_done_when_the_autoscaler_s_fewest_pods_are_ready(helm, cluster):
    release = helm()
    for fewest in (1, 2):
        release.upgrade(values(fewest=fewest), f"at least {fewest}")
        objects = parse_objects(release.manifest())
        wait_until_ready(cluster, objects.deployment_names, autoscaled=objects.autoscaled, timeout_s=60)
        assert not find_drift(cluster, objects)
    assert [pod.ready for pod in cluster.pods()] == [True, True]


def test_helm_s_errors_are_told(helm, namespace, lab, monkeypatch, tmp_path):
    release = helm()
    with pytest.raises(HelmError, match=r"helm refused 'tiny' in the namespace .*: "):
        release.upgrade(values(replicas="many"), "no number")
    missing = Helm(f"{namespace}-none", RELEASE, release.chart)
    with pytest.raises(
        NotFoundError, match=r"there is no namespace 'cw7-kube-.*-none': create it with `kubectl create"
    ):
        missing.upgrade(values(), "nowhere")
    stranger = kubeconfig_of_stranger(lab, namespace, tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(stranger))
    with pytest.raises(
        InvalidConfigError, match=f"does not let system:serviceaccount:{namespace}:default list secrets"
    ):
        Helm(namespace, RELEASE, release.chart).upgrade(values(), "may not")
    with pytest.raises(InvalidConfigError, match=r"charts/platform with `rbac.create`"):
        open_cluster(RELEASE, namespace).pods()
    assert not open_cluster(RELEASE, namespace).connection.allows("list", "secrets", namespace)


def kubeconfig_of_stranger(lab: Lab, namespace: str, folder: Path) -> Path:
    token = lab.kubectl("-n", namespace, "create", "token", "default").strip()
    kubeconfig = folder / "stranger"
    kubeconfig.write_text(Path(lab.environ["KUBECONFIG"]).read_text())
    settings = ["config", f"--kubeconfig={kubeconfig}"]
    lab.kubectl(*settings, "set-credentials", "stranger", f"--token={token}")
    lab.kubectl(*settings, "set-context", "--current", "--user=stranger")
    return kubeconfig


def test_what_is_there_is_told(helm, cluster):
    helm().upgrade(values(), "the first")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    (deployment,) = cluster.deployments()
    assert (deployment.group, deployment.track, deployment.desired, deployment.available) == ("shared", "stable", 1, 1)
    (pod,) = cluster.pods(group="shared", track="stable")
    assert (pod.deployment, pod.ready, pod.phase, pod.problem) == (DEPLOYMENT, True, "Running", "")
    assert pod.address.startswith("10.")
    assert cluster.connection.allows("create", "deployments.apps", cluster.namespace)
    assert cluster.pods(track="canary") == []


@pytest.mark.parametrize(
    ("broken", "reasons", "message"),
    [
        ({"image": "lab/none:1"}, {"ErrImagePull", "ImagePullBackOff"}, "(ErrImagePull|BackOff): .*lab/none:1.* Push"),
        (
            {"init": "echo fetching; echo heads/3f is not in the store; exit 1"},
            {"CrashLoopBackOff"},
            "the container models ended with exit status 1; its last log line: heads/3f is not in the store",
        ),
        (
            {"command": "echo no port; exit 3"},
            {"CrashLoopBackOff"},
            "the container answers ended with exit status 3; its last log line: no port",
        ),
    ],
)
def test_a_rollout_that_will_never_be_done_ends_early_and_the_old_pod_stays(helm, cluster, broken, reasons, message):
    release = helm()
    release.upgrade(values(), "well")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    release.upgrade(values() | broken, "broken")
    started = time.monotonic()
    with pytest.raises(RolloutError, match=message) as caught:
        wait_until_ready(cluster, [DEPLOYMENT], timeout_s=200)
    assert time.monotonic() - started < 60
    assert caught.value.reason in reasons
    assert caught.value.permanent
    assert any(pod.ready for pod in cluster.pods())
    release.rollback(1)
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)


def test_a_pod_that_never_gets_ready_is_told_with_its_probe(helm, cluster):
    helm().upgrade(values(probe="/none"), "unready")
    with pytest.raises(
        RolloutError, match=r"0 of 1 pods are available after 15 s; pod .*: Readiness probe failed.* 404"
    ):
        wait_until_ready(cluster, [DEPLOYMENT], timeout_s=15)


def test_a_pod_that_no_node_has_room_for_and_one_that_may_not_be_are_told(helm, cluster, lab, namespace):
    lab.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    helm().upgrade(values(), "not permitted")
    with pytest.raises(RolloutError, match=r"Kubernetes creates no pod: .*violates PodSecurity") as caught:
        wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    assert caught.value.permanent


def test_a_pod_is_asked_through_a_port_forward(helm, cluster):
    helm().upgrade(values("hello"), "the first")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    (pod,) = cluster.pods()
    with PodClient(cluster, pod.name) as client:
        for _ in range(3):
            reply = client.request("GET", "/index.html")
            assert (reply.status, reply.body) == (200, b"hello\n")
        assert client.request("GET", "/none").status == 404
    refused = pytest.raises(TransientError, match=rf"the pod {pod.name} does not answer on port 81")
    with PodClient(cluster, pod.name, port=81) as client, refused:
        client.request("GET", "/")
    with PodClient(cluster, "none") as client, pytest.raises(NotFoundError, match='pods "none" not found'):
        client.request("GET", "/")


def test_a_conversation_with_a_pod_that_is_deleted_ends_with_an_error(helm, cluster, lab, namespace):
    helm().upgrade(values(), "the first")
    wait_until_ready(cluster, [DEPLOYMENT], timeout_s=60)
    (pod,) = cluster.pods()
    with PodClient(cluster, pod.name, timeout_s=5) as client:
        assert client.request("GET", "/").status == 200
        lab.kubectl("-n", namespace, "delete", "pod", pod.name, "--grace-period=1")
        with pytest.raises((TransientError, NotFoundError)):
            client.request("GET", "/")


HOLDER = """
import sys, time
from components.deploy.cluster.namespace import open_cluster
from components.deploy.cluster.lease import hold_lease
with hold_lease(open_cluster("tiny", sys.argv[1]), "bob@desk", duration_s=4):
    print("held", flush=True)
    time.sleep(300)
"""


def can_acquire(cluster: Cluster) -> bool:
    lock = LeaseLock(cluster, "eve", 4)
    try:
        lock.acquire()
    except BusyError:
        return False
    lock.unlock()
    return True


def test_a_lease_keeps_others_away_until_its_holder_is_gone(cluster, namespace, lab):
    other = subprocess.Popen([sys.executable, "-c", HOLDER, namespace], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for _ in range(3):  # longer than it lasts without renewal
            with (
                pytest.raises(BusyError, match="'tiny' is being changed by bob@desk since 20"),
                hold_lease(cluster, "ann"),
            ):
                pytest.fail("held twice")
            time.sleep(2)
    finally:
        other.kill()
        other.wait()
    with pytest.raises(BusyError), hold_lease(cluster, "ann"):
        pytest.fail("taken over at once")
    started = time.monotonic()
    until("the lease to expire", lambda: can_acquire(cluster), within_s=20)
    assert 1 < time.monotonic() - started < 12
    with hold_lease(cluster, "ann", duration_s=4) as lock:
        time.sleep(6)
        lock.check()
        (lease,) = lab.get("-n", namespace, "leases")["items"]
        assert lease["metadata"]["name"] == "coachworks-tiny"
        assert lease["spec"]["holderIdentity"].startswith("ann_")
    assert not lab.get("-n", namespace, "leases")["items"]
