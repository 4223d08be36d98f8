"""Values that the chart of a fleet refuses, each with the reason and a way out."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fleet_values import dedicated, fleet, skill

SHARES = "body shares its pods with the other skills of layout shared"


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [
        ("replicas", 3, "shared.replicas"),
        ("cpu", "2", "shared.cpu"),
        ("memory", "3Gi", "shared.memory"),
        ("environment", {"A": "1"}, "shared.environment"),
        ("health", {"path": "/"}, "shared.health"),
        ("autoscaling", {"enabled": True}, "shared.autoscaling"),
        ("image", {"tag": "x"}, "image"),
        ("imagePullSecrets", ["registry"], "imagePullSecrets"),
    ],
)
def test_a_skill_that_shares_its_pods_has_none_of_its_own(
    refusal: Callable[..., str], key: str, value: Any, instead: str
) -> None:
    message = refusal("fleet", fleet(skills={"body": skill("body", **{key: value})}))
    assert f"skills.body.{key} cannot be set: {SHARES}. Set {instead} for all of them, or layout: dedicated" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            fleet(skills={"shared": dedicated("shared")}),
            "skills.shared.layout cannot be dedicated: its pods would have the name of the shared pods. Rename",
        ),
        (
            fleet(models={}),
            "models.store must be set with models.source: store: the store with the models, s3://bucket/prefix",
        ),
        (fleet(backbone={}), "backbone must be set: the part `backbone` of the bundle's manifest.json"),
        (
            fleet(models={"store": "s3://a/b", "certificateAuthority": {"configMap": "a", "secret": "b"}}),
            "models.certificateAuthority must name a configMap or a secret, not both",
        ),
        (
            fleet(shared={"environment": {"COACHWORKS_STORE": "s3://a/b"}}),
            "shared.environment cannot set COACHWORKS_STORE: the chart or the image does",
        ),
        (
            fleet(shared={"environment": {"COACHWORKS_BENTO": "/other"}}),
            "shared.environment cannot set COACHWORKS_BENTO: the chart or the image does",
        ),
        (
            fleet(skills={"side": dedicated("side", environment={"AWS_CA_BUNDLE": "/a"})}),
            "skills.side.environment cannot set AWS_CA_BUNDLE: the chart or the image does",
        ),
        (
            fleet(skills={"body": skill("body", serviceName="side"), "side": skill("side")}),
            "the skill body and the skill side cannot both have the Service side: set serviceName of a skill, or",
        ),
        (
            fleet(skills={"acme": skill("acme")}),
            "the skill acme and all skills of layout shared cannot both have the Service acme",
        ),
        (
            fleet(skills={"acme-metrics": dedicated("a")}, monitoring={"serviceMonitor": {"enabled": True}}),
            "the skill acme-metrics and monitoring cannot both have the Service acme-metrics",
        ),
        (
            fleet(skills={"4x4": skill("4x4")}),
            "the Service of the skill 4x4 cannot have the name 4x4: names of Services begin with a letter",
        ),
        (
            fleet(canary={"groups": ["body"]}),
            "canary.groups names body, which is not a group: shared, or a skill of layout dedicated; the canary has: ",
        ),
        (fleet(skills={}, canary={"groups": ["shared"]}), "the canary has: none"),
        (
            fleet(canary={"groups": ["side"], "replicas": {"shared": 2}}),
            "canary.replicas names shared, which canary.groups does not",
        ),
        (
            fleet(canary={"values": {"skills": {"body": skill("body", replicas=2)}}}),
            f"canary.values.skills.body.replicas cannot be set: {SHARES}",
        ),
        (fleet(canary={"values": {"models": {"source": "store"}}}), "canary.values.models.store must be set"),
        (
            fleet(shared={"autoscaling": {"minReplicas": 20}}),
            "autoscaling of shared cannot have 20 minReplicas and 10 maxReplicas: minReplicas must not exceed",
        ),
        (
            fleet(monitoring={"serviceMonitor": {"labels": {"app.kubernetes.io/name": "x"}}}),
            "monitoring.serviceMonitor.labels cannot set app.kubernetes.io/name: the chart sets such labels",
        ),
        (
            fleet(monitoring={"alerts": {"labels": {"helm.sh/chart": "x"}}}),
            "monitoring.alerts.labels cannot set helm.sh/chart: the chart sets such labels",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    refusal: Callable[..., str], values: dict[str, Any], message: str
) -> None:
    assert message in refusal("fleet", values)


def test_a_release_whose_name_no_service_can_have_is_refused(refusal: Callable[..., str]) -> None:
    message = refusal("fleet", fleet(), release="show.room")
    assert "the Service of all skills of layout shared cannot have the name show.room" in message
    assert "service.name" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"skill": {}}, r"(?i)additional propert\w+ '?skill'?"),  # Helm 3 and 4 say it differently
        ({"skills": {"body": {"model": {}, "replica": 2}}}, r"(?i)additional propert\w+ '?replica'?"),
        ({"skills": {"body": {}}}, r"(?is)skills.body.*(model is required|missing property 'model')"),
        ({"skills": {"Body": skill("body")}}, r"(?is)Body"),
        (fleet(skills={"body": skill("body", "a b")}), r"(?is)skills.body.model.version.*does not match pattern"),
        (fleet(releaseDigest=1), r"(?is)releaseDigest.*(string)"),
        (fleet(traffic="some"), r"(?is)traffic.*must be one of"),
        (fleet(canary={"values": {"traffic": "all"}}), r"(?i)additional propert\w+ '?traffic'?"),
        (fleet(models={"store": "/srv/store"}), r"(?is)models.store.*does not match pattern"),
        (
            fleet(models={"store": "s3://a/b", "environment": [{"secret": "a", "configMap": "b"}]}),
            r"(?is)models.environment",
        ),
        (fleet(backbone={"name": "x"}), r"(?is)backbone.*(digest|sha256)"),
        (fleet(shared={"cpu": "two"}), r"(?is)shared.cpu"),
    ],
)
def test_the_schema_refuses_what_no_value_may_be(
    refusal: Callable[..., str], values: dict[str, Any], message: str
) -> None:
    assert re.search(message, refusal("fleet", values))
