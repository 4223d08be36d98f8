"""Fields that differ from the release, and the client that changed each, as Kubernetes records it."""

import copy
from typing import Any

import pytest

from components.deploy.cluster.field_changes import field_changes

RELEASED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "cars-shared", "labels": {"group": "shared"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "answers",
                        "image": "serving:1",
                        "command": ["serve", "all"],
                        "env": [{"name": "THREADS", "value": "1"}],
                        "ports": [{"containerPort": 3000, "protocol": "TCP"}],
                    }
                ],
            }
        },
    },
}
# As the API server records `kubectl set env`.
SET_ENV = {
    "manager": "kubectl-set",
    "operation": "Update",
    "time": "2026-11-28T19:09:36Z",
    "fieldsV1": {
        "f:spec": {
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"answers"}': {
                            "f:env": {
                                'k:{"name":"HANDMADE"}': {".": {}, "f:name": {}, "f:value": {}},
                                'k:{"name":"THREADS"}': {"f:value": {}},
                            }
                        }
                    }
                }
            }
        }
    },
}
SCALE = {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
HELM = {"manager": "helm", "time": "2026-11-28T19:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}}


def live(*managers: Any) -> Any:
    document = copy.deepcopy(RELEASED)
    document["metadata"]["managedFields"] = list(managers)
    return document


def container(document: Any) -> Any:
    return document["spec"]["template"]["spec"]["containers"][0]


def sentences(document: Any) -> list[str]:
    return [str(change) for change in field_changes(document, RELEASED)]


def test_what_the_server_and_controllers_keep_for_themselves_is_no_change():
    document = live(HELM)
    document["metadata"] |= {"uid": "7", "resourceVersion": "8", "generation": 2}
    document["status"] = {"replicas": 2}
    assert sentences(document) == []


def test_a_changed_and_an_added_variable_are_named_with_the_client_and_the_time():
    document = live(HELM, SET_ENV)
    container(document)["env"] = [{"name": "THREADS", "value": "4"}, {"name": "HANDMADE", "value": "yes"}]
    env = "Deployment cars-shared: spec.template.spec.containers[answers].env"
    assert sentences(document) == [
        f'{env}[THREADS].value is "4"; the release sets "1" (kubectl-set, 2026-11-28T19:09:36Z)',
        f'{env}[HANDMADE].value was added: "yes" (kubectl-set, 2026-11-28T19:09:36Z)',
    ]


def test_a_removed_variable_has_no_client_for_kubernetes_records_none():
    document = live(SET_ENV)
    container(document)["env"] = []
    (sentence,) = sentences(document)
    assert sentence.endswith('containers[answers].env[THREADS].value was removed; the release sets "1"')


def test_a_client_whose_time_is_unknown_is_named_alone():
    document = live(SCALE)
    document["spec"]["replicas"] = 5
    assert sentences(document) == ["Deployment cars-shared: spec.replicas is 5; the release sets 2 (kubectl)"]


def test_another_order_of_named_items_is_no_change_and_of_words_is_one():
    document = live()
    container(document)["env"] = [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    released = copy.deepcopy(document)
    container(document)["env"].reverse()
    assert field_changes(document, released) == []
    container(document)["command"].reverse()
    (change,) = field_changes(document, released)
    assert (change.live, change.released) == ('["all", "serve"]', '["serve", "all"]')


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_labels_and_annotations_are_compared(part):
    document, released = live(), copy.deepcopy(RELEASED)
    document["metadata"][part], released["metadata"][part] = {"team": "b"}, {"team": "a"}
    (change,) = field_changes(document, released)
    assert (change.field, change.live, change.released) == (f"metadata.{part}.team", '"b"', '"a"')


def test_nothing_secret_is_shown_and_long_values_are_cut():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store"}, "data": {"key": "b2xk"}}
    (change,) = field_changes({**secret, "data": {"key": "bmV3"}}, secret)
    assert (change.live, change.released) == ("(hidden)", "(hidden)")
    document = live()
    container(document)["image"] = "i" * 500
    (change,) = field_changes(document, RELEASED)
    assert change.live is not None
    assert len(change.live) < 110
