"""Labels that a step's pod gives itself: its lane and its skills."""

import pytest

from coachworks.kubernetes_api import label_own_pod
from coachworks.task import _label_pod
from kubernetes_server import Objects

POD = "/api/v1/namespaces/of-context/pods/cars-1"
LONG = f"coachworks-cars-{'x' * 80}"


@pytest.fixture
def pod(api_server: Objects, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """The API server as seen from the pod `cars-1`."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("HOSTNAME", "cars-1")
    monkeypatch.delenv("KFP_POD_NAME", raising=False)
    api_server[POD] = {"metadata": {"name": "cars-1", "labels": {"coachworks.dev/step": "train"}}}
    return api_server


def test_a_pod_of_a_lane_is_labelled_with_the_lane_and_each_skill(pod: Objects) -> None:
    _label_pod(["body-type", "paint-colour"])
    assert pod[POD]["metadata"]["labels"] == {
        "coachworks.dev/step": "train",
        "coachworks.dev/lane": "body-type",
        "skill.coachworks.dev/body-type": "true",
        "skill.coachworks.dev/paint-colour": "true",
    }


def test_a_pod_whose_name_is_longer_than_a_host_s_may_be_is_labelled_too(
    pod: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTNAME", LONG[:63])
    monkeypatch.setenv("KFP_POD_NAME", LONG)
    path = POD.replace("cars-1", LONG)
    pod[path] = {"metadata": {"name": LONG, "labels": {}}}
    assert label_own_pod({"a": "b"})
    assert pod[path]["metadata"]["labels"] == {"a": "b"}


def test_without_the_right_or_outside_of_a_pod_nothing_is_labelled_and_nothing_fails(
    pod: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod[POD] = 403
    assert not label_own_pod({"a": "b"})
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    asked = len(pod.asked)
    assert not label_own_pod({"a": "b"})
    assert len(pod.asked) == asked
