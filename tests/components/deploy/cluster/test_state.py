"""State of pods and Deployments, as read from the API server's JSON."""

from kubernetes_objects import DEPLOYMENT, HASH, ROLLING, RUNNING, deployment, pod

from components.deploy.cluster.state import read_deployment, read_pod


def test_a_pod_names_its_deployment_group_and_track():
    state = read_pod(pod(**RUNNING, containerStatuses=[{"name": "answers", "restartCount": 2, "state": {}}]))
    assert (state.deployment, state.group, state.track, state.template) == (DEPLOYMENT, "shared", "stable", HASH)
    assert (state.ready, state.restarts, state.phase, state.address) == (True, 2, "Running", "10.244.0.9")
    assert (state.problem, state.permanent, state.container) == ("", False, "answers")


def test_a_terminating_pod_is_not_ready():
    terminating = pod(**RUNNING)
    terminating["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    state = read_pod(terminating)
    assert (state.terminating, state.ready, state.phase) == (True, False, "Terminating")


def test_a_rollout_is_complete_when_all_pods_are_new_and_available():
    assert read_deployment(deployment()).complete
    assert not read_deployment(deployment(**ROLLING)).complete
    assert not read_deployment(deployment(replicas=3)).complete, "an old pod is still there"
    assert not read_deployment(deployment(observedGeneration=3)).complete
    assert read_deployment(deployment(desired=0)).complete
    assert read_deployment(deployment()).annotations["coachworks.dev/release"] == "3f2a"
