"""API keys and TLS of a fleet: what pods, Services, the check and Prometheus get, and nothing without them."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import rendered
from fleet_values import dedicated, fleet, skill
from rendered import Objects, container, environment, of_kind

Render = Callable[..., Objects]
SKILLS = {"body": skill("body"), "side": dedicated("side")}
KEYS = {"apiKeys": {"existingSecret": "acme-keys"}}
TLS = {"tls": {"existingSecret": "acme-tls"}}
PODS = ("acme-shared", "acme-dedicated-side")


def volumes(objects: Objects, deployment: str) -> dict[str, Any]:
    spec = objects["Deployment", deployment]["spec"]["template"]["spec"]
    return {volume["name"]: volume for volume in spec["volumes"]}


def mounts(objects: Objects, name: str) -> dict[str, Any]:
    return {mount["name"]: mount for mount in container(objects, name)["volumeMounts"]}


@pytest.mark.parametrize("deployment", PODS)
def test_keys_are_files_of_the_service_and_of_no_other_container(render: Render, deployment: str) -> None:
    objects = render("fleet", fleet(skills=SKILLS, **KEYS))
    assert volumes(objects, deployment)["api-keys"]["secret"] == {"secretName": "acme-keys"}
    assert mounts(objects, f"{deployment}/answers")["api-keys"] == {
        "name": "api-keys",
        "mountPath": "/etc/coachworks/api-keys",
        "readOnly": True,
    }
    variables = environment(container(objects, f"{deployment}/answers"))
    assert variables["COACHWORKS_API_KEYS"] == "/etc/coachworks/api-keys"
    assert "api-keys" not in mounts(objects, f"{deployment}/models")
    assert "COACHWORKS_CERTIFICATE" not in variables


@pytest.mark.parametrize("deployment", PODS)
def test_the_certificate_is_mounted_and_probes_speak_tls(render: Render, deployment: str) -> None:
    objects = render("fleet", fleet(skills=SKILLS, **TLS))
    secret = volumes(objects, deployment)["certificate"]["secret"]
    assert secret["secretName"] == "acme-tls"
    assert [item["key"] for item in secret["items"]] == ["tls.crt", "tls.key"]
    assert (
        environment(container(objects, f"{deployment}/answers"))["COACHWORKS_CERTIFICATE"]
        == "/etc/coachworks/certificate"
    )
    answers = container(objects, f"{deployment}/answers")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert answers[probe]["httpGet"]["scheme"] == "HTTPS"
        assert answers[probe]["httpGet"]["port"] == "all"


def test_services_say_what_their_clients_speak(render: Render) -> None:
    for values, scheme in ((TLS, "https"), (KEYS, "http")):
        services = of_kind(render("fleet", fleet(skills=SKILLS, **values)), "Service")
        assert len(services) == 3
        for service in services.values():
            assert [(port["name"], port["appProtocol"]) for port in service["spec"]["ports"]] == [(scheme, scheme)]


def test_the_check_sends_a_key_and_verifies_the_certificate_without_its_private_key(render: Render) -> None:
    objects = render("fleet", fleet(skills=SKILLS, **KEYS, **TLS))
    assert container(objects, "acme-check/check")["args"][2] == "https://body.mlops.svc:8080=body"
    mounted = {volume["name"]: volume for volume in objects["Pod", "acme-check"]["spec"]["volumes"]}
    assert mounted["api-keys"]["secret"] == {"secretName": "acme-keys"}
    assert mounted["authority"]["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    own = render("fleet", fleet(skills=SKILLS, tls={"existingSecret": "acme-tls", "authorityKey": "tls.crt"}))
    mounted = {volume["name"]: volume for volume in own["Pod", "acme-check"]["spec"]["volumes"]}
    assert mounted["authority"]["secret"]["items"] == [{"key": "tls.crt", "path": "ca.crt"}]


def test_prometheus_sends_its_key_and_verifies_the_certificate_by_name(render: Render) -> None:
    objects = render("fleet", rendered.CHARTS / "fleet/ci/access-values.yaml")
    [endpoint] = objects["ServiceMonitor", "acme"]["spec"]["endpoints"]
    assert endpoint["authorization"] == {
        "type": "Bearer",
        "credentials": {"name": "showroom-keys", "key": "prometheus"},
    }
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {
        "ca": {"secret": {"name": "showroom-tls", "key": "ca.crt"}},
        "serverName": "acme.mlops.svc",
    }


def test_prometheus_needs_a_key_where_requests_do(refusal: Callable[..., str]) -> None:
    message = refusal("fleet", fleet(skills=SKILLS, **KEYS, monitoring={"serviceMonitor": {"enabled": True}}))
    assert "monitoring.serviceMonitor.apiKey must be set with apiKeys.existingSecret: the entry of the" in message


@pytest.mark.parametrize("variable", ["COACHWORKS_API_KEYS", "COACHWORKS_CERTIFICATE"])
def test_their_variables_are_the_charts(refusal: Callable[..., str], variable: str) -> None:
    message = refusal("fleet", fleet(skills=SKILLS, shared={"environment": {variable: "/keys"}}))
    assert f"shared.environment cannot set {variable}: the chart or the image does" in message


def test_a_canary_may_have_them_where_the_stable_pods_do_not(render: Render) -> None:
    canary = {"groups": ["shared"], "values": {"skills": SKILLS, **KEYS, **TLS}}
    objects = render("fleet", fleet(skills=SKILLS, canary=canary))
    assert {"api-keys", "certificate"} <= set(volumes(objects, "acme-canary-shared"))
    assert not {"api-keys", "certificate"} & set(volumes(objects, "acme-shared"))


def test_without_them_nothing_is_mounted_and_nothing_changes(render: Render) -> None:
    off = render("fleet", fleet(skills=SKILLS, apiKeys={"existingSecret": ""}, tls={"existingSecret": ""}))
    assert off == render("fleet", fleet(skills=SKILLS))
    assert not re.search("api-keys|certificate|HTTPS|https:", json.dumps([off[key] for key in off if key[0] != "Pod"]))
