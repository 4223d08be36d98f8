"""The chart of a fleet: which objects, and how they find each other, for which values."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chart_docs
import pytest
import rendered
from fleet_values import dedicated, fleet, skill
from rendered import Objects, of_kind
from ruamel.yaml import YAML

CHART = rendered.CHARTS / "fleet"
SETS = rendered.value_sets("fleet")
GOLDEN = Path(__file__).parents[1] / "golden" / "fleet-chart.yaml"
ALWAYS = {("ServiceAccount", "acme")}
POLICIES = {("NetworkPolicy", "acme"), ("NetworkPolicy", "acme-check")}
CHECK = {("Pod", "acme-check")}
SHARED = {("Deployment", "acme-shared"), ("Service", "acme")}
BODY = SHARED | {("Service", "body-type")}
QUALITY = {("Deployment", "acme-dedicated-image-quality"), ("Service", "image-quality")}
BUDGETS = {("PodDisruptionBudget", "acme-shared"), ("PodDisruptionBudget", "acme-dedicated-image-quality")}
EXPECTED = {
    "default": ALWAYS | POLICIES,
    "minimal": ALWAYS | CHECK | BODY,
    "model-image": ALWAYS | POLICIES | CHECK | BODY | {("PodDisruptionBudget", "acme-shared")},
    "mixed": ALWAYS
    | POLICIES
    | CHECK
    | BODY
    | BUDGETS
    | {
        ("Deployment", "acme-dedicated-image-quality"),
        ("Service", "ai-image-quality"),
        ("Service", "side"),
    },
    "moving": ALWAYS | POLICIES | CHECK | BODY | QUALITY | BUDGETS | {("Deployment", "acme-dedicated-body-type")},
    "canary": ALWAYS
    | POLICIES
    | CHECK
    | BODY
    | QUALITY
    | BUDGETS
    | {("Deployment", "acme-canary-shared"), ("Deployment", "acme-canary-dedicated-image-quality")},
    "autoscaling": ALWAYS
    | POLICIES
    | CHECK
    | BODY
    | QUALITY
    | BUDGETS
    | {
        ("Deployment", "acme-dedicated-side"),
        ("HorizontalPodAutoscaler", "acme-dedicated-side"),
        ("HorizontalPodAutoscaler", "acme-shared"),
        ("Service", "side"),
    },
    "monitoring": ALWAYS
    | POLICIES
    | CHECK
    | BODY
    | QUALITY
    | BUDGETS
    | {("PrometheusRule", "acme"), ("Service", "acme-metrics"), ("ServiceMonitor", "acme")},
    "access": ALWAYS
    | POLICIES
    | CHECK
    | BODY
    | QUALITY
    | BUDGETS
    | {("Service", "acme-metrics"), ("ServiceMonitor", "acme")},
    "35-skills": ALWAYS
    | POLICIES
    | CHECK
    | SHARED
    | {("PodDisruptionBudget", "acme-shared")}
    | {("Service", f"skill-{number:02}") for number in range(1, 36)}
    | {
        (kind, f"acme-dedicated-skill-{number}")
        for kind in ("Deployment", "PodDisruptionBudget")
        for number in ("07", "21")
    },
}
NAME, LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
Render = Callable[..., Objects]


@pytest.fixture
def objects(request: pytest.FixtureRequest, render: Render) -> Objects:
    return render("fleet", CHART / "ci" / f"{request.param}-values.yaml")


def selected(objects: Objects, selector: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The pods that a selector matches, by the name of what makes them."""
    return {
        name: document
        for name, document in rendered.pod_templates(objects)
        if selector.items() <= document["metadata"]["labels"].items()
    }


def port_names(template: dict[str, Any]) -> set[str]:
    return {port["name"] for document in template["spec"]["containers"] for port in document.get("ports", ())}


def test_every_value_set_has_its_objects_named_here() -> None:
    assert set(SETS) == set(EXPECTED)


@pytest.mark.parametrize(("name", "objects"), [(name, name) for name in SETS], indirect=["objects"])
def test_the_objects_are_these(name: str, objects: Objects) -> None:
    assert {key for key in objects if key[0] != "ConfigMap"} == EXPECTED[name]
    assert len(of_kind(objects, "ConfigMap")) == len(of_kind(objects, "Deployment"))


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_kubernetes_knows_every_field(objects: Objects) -> None:
    rendered.assert_known_to_kubernetes(objects)


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_say(lint: Callable[[str, Path], str], name: str) -> None:
    assert lint("fleet", CHART / f"ci/{name}-values.yaml") == ""


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_pods_are_as_the_restricted_standard_wants_them(objects: Objects) -> None:
    rendered.assert_restricted(objects)


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_pods_have_no_rights_and_nothing_holds_for_the_cluster(objects: Objects) -> None:
    rendered.assert_no_rights_beyond_namespaces(objects)
    assert not {kind for kind, _ in objects} & {"Role", "RoleBinding", "Ingress", "Secret"}
    assert objects["ServiceAccount", "acme"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_the_only_hook_is_the_one_of_helm_test(objects: Objects) -> None:
    hooks = {key for key, document in objects.items() if "helm.sh/hook" in document["metadata"].get("annotations", {})}
    assert hooks <= CHECK


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_deployments_select_their_own_pods_and_no_others(objects: Objects) -> None:
    for name, document in of_kind(objects, "Deployment").items():
        assert set(selected(objects, document["spec"]["selector"]["matchLabels"])) == {name}
        (constraint, *_) = document["spec"]["template"]["spec"].get("topologySpreadConstraints", [{}])
        if constraint:
            assert constraint["labelSelector"]["matchLabels"] == document["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_services_are_private_and_lead_to_ports_that_pods_have(objects: Objects) -> None:
    for name, document in of_kind(objects, "Service").items():
        assert document["spec"]["type"] == "ClusterIP", name
        pods = selected(objects, document["spec"]["selector"])
        (port,) = document["spec"]["ports"]
        assert pods, name
        assert all(port["targetPort"] in port_names(pod) for pod in pods.values()), name


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_policies_hold_all_pods_and_do_not_mistake_the_check_for_one(objects: Objects) -> None:
    if ("NetworkPolicy", "acme") not in objects:
        return
    for name, document in of_kind(objects, "NetworkPolicy").items():
        selects = set(selected(objects, document["spec"]["podSelector"]["matchLabels"]))
        check = {pod for kind, pod in objects if kind == "Pod"}
        assert selects == (check if name == "acme-check" else set(of_kind(objects, "Deployment")))
        assert set(document["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        ports = [port["port"] for rule in document["spec"]["egress"] for port in rule.get("ports", ())]
        assert all(isinstance(port, int) for port in ports)


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_a_budget_holds_both_tracks_of_its_group(objects: Objects) -> None:
    for name, document in of_kind(objects, "PodDisruptionBudget").items():
        canary = name.replace("acme-", "acme-canary-", 1)
        assert set(selected(objects, document["spec"]["selector"]["matchLabels"])) == (
            {name, canary} if ("Deployment", canary) in objects else {name}
        )
        assert document["spec"]["maxUnavailable"] == 1


def test_a_group_that_may_have_one_pod_has_no_budget(render: Render) -> None:
    objects = render("fleet", CHART / "ci/autoscaling-values.yaml")
    assert ("PodDisruptionBudget", "acme-dedicated-side") not in objects  # its autoscaler may leave it a single one
    one = render("fleet", fleet(shared={"replicas": 1}))
    assert set(of_kind(one, "PodDisruptionBudget")) == {"acme-dedicated-side"}


def test_labels_tell_what_is_deployed(render: Render) -> None:
    objects = render("fleet", CHART / "ci/mixed-values.yaml")
    for key in (("Deployment", "acme-dedicated-image-quality"), ("Service", "ai-image-quality")):
        labels, annotations = objects[key]["metadata"]["labels"], objects[key]["metadata"]["annotations"]
        assert labels["app.kubernetes.io/part-of"] == "showroom"
        assert labels["coachworks.dev/skill"] == labels["app.kubernetes.io/component"] == "image-quality"
        assert labels["coachworks.dev/model-version"] == "2"
        assert re.fullmatch("[0-9a-f]{64}", annotations["coachworks.dev/model-digest"])
        assert annotations["coachworks.dev/run"] == "4f6a0c9e"
        assert annotations["coachworks.dev/release-digest"] == "0a1b2c3d4e5f"
    shared = objects["Deployment", "acme-shared"]["metadata"]
    assert shared["annotations"]["coachworks.dev/models"] == '{"body-type":"3","side":"1"}'
    assert "coachworks.dev/skill" not in shared["labels"]
    assert objects["Service", "body-type"]["metadata"]["labels"]["coachworks.dev/group"] == "shared"


@pytest.mark.parametrize(
    ("traffic", "tracks"), [("stable", {"stable"}), ("all", {"stable", "canary"}), ("none", set())]
)
def test_traffic_says_whom_services_lead_to(render: Render, traffic: str, tracks: set[str]) -> None:
    objects = render("fleet", CHART / "ci/canary-values.yaml", f"traffic={traffic}")
    for name, group in (("body-type", "shared"), ("acme", "shared"), ("image-quality", "image-quality")):
        pods = selected(objects, objects["Service", name]["spec"]["selector"]).values()
        labels = [pod["metadata"]["labels"] for pod in pods]
        assert {label["coachworks.dev/track"] for label in labels} == tracks
        assert {label["coachworks.dev/group"] for label in labels} <= {group}


def test_a_services_port_is_called_the_same_in_shared_and_dedicated_pods(render: Render) -> None:
    objects = render("fleet", CHART / "ci/moving-values.yaml")
    for name in ("body-type", "image-quality"):
        port = objects["Service", name]["spec"]["ports"][0]["targetPort"]
        for deployment in ("acme-shared", f"acme-dedicated-{name}"):
            assert port in port_names(objects["Deployment", deployment]["spec"]["template"])
    groups = {
        name: document["spec"]["selector"]["coachworks.dev/group"]
        for name, document in of_kind(objects, "Service").items()
    }
    assert groups == {"acme": "shared", "body-type": "shared", "image-quality": "image-quality"}


def test_the_shared_service_goes_with_the_last_shared_skill(render: Render) -> None:
    objects = render("fleet", fleet(skills={"side": dedicated("side", moving="shared")}))
    assert set(of_kind(objects, "Service")) == {"side"}
    assert set(of_kind(objects, "Deployment")) == {"acme-shared", "acme-dedicated-side"}
    named = render("fleet", fleet(service={"name": "showroom", "port": 80}))
    assert named["Service", "showroom"]["spec"]["ports"][0]["port"] == 80


def test_names_and_labels_fit_whatever_they_are_made_of(render: Render) -> None:
    long = "a" + "-b" * 31
    values = fleet(
        skills={long: dedicated(long), "x": skill("x")},
        image={"tag": "v" * 63 + ".1"},
        monitoring={"serviceMonitor": {"enabled": True}},
        canary={"groups": [long, "shared"]},
    )
    objects = render("fleet", values, release="r" * 53)
    assert len(of_kind(objects, "Deployment")) == 4
    for (kind, name), document in objects.items():
        assert kind == "ConfigMap" or re.fullmatch(NAME, name), (kind, name)
        for labels in (
            document["metadata"]["labels"],
            document["spec"].get("template", document)["metadata"]["labels"] if "spec" in document else {},
        ):
            assert all(re.fullmatch(LABEL, str(value)) for value in labels.values()), (kind, name)
    for _, template in rendered.pod_templates(objects):
        assert all(len(port) <= 15 for port in port_names(template))


def test_another_namespace_may_ask_and_the_store_may_be_asked(render: Render) -> None:
    policy = render("fleet", CHART / "ci/mixed-values.yaml")["NetworkPolicy", "acme"]["spec"]
    (rule,) = policy["ingress"]
    assert rule["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
        {"ipBlock": {"cidr": "10.1.0.0/16"}},
    ]
    dns, store = policy["egress"]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert store["to"][0] == {"ipBlock": {"cidr": "10.20.0.0/16"}}
    assert store["to"][1] == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}}}
    assert store["ports"] == [{"port": 9000, "protocol": "TCP"}, {"port": 9443, "protocol": "TCP"}]


def test_pods_with_models_in_their_image_reach_no_store(render: Render) -> None:
    policy = render("fleet", CHART / "ci/model-image-values.yaml")["NetworkPolicy", "acme"]["spec"]
    assert len(policy["egress"]) == 1  # names
    canary = {"groups": ["shared"], "values": {"models": {"store": "s3://team-models/showroom"}}}
    tried = render("fleet", CHART / "ci/model-image-values.yaml", {"canary": canary})
    assert len(tried["NetworkPolicy", "acme"]["spec"]["egress"]) == 2


def test_prometheus_asks_every_pod_once(render: Render) -> None:
    objects = render("fleet", CHART / "ci/monitoring-values.yaml", {"canary": {"groups": ["shared"]}})
    monitor = objects["ServiceMonitor", "acme"]
    (name,) = (
        name
        for name, document in of_kind(objects, "Service").items()
        if monitor["spec"]["selector"]["matchLabels"].items() <= document["metadata"]["labels"].items()
    )
    service = objects["Service", name]["spec"]
    assert service["clusterIP"] == "None"
    assert set(selected(objects, service["selector"])) == set(of_kind(objects, "Deployment"))
    assert [monitor["spec"]["endpoints"][0]["port"]] == [port["name"] for port in service["ports"]]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_are_about_what_the_pods_count(render: Render) -> None:
    (group,) = render("fleet", CHART / "ci/monitoring-values.yaml")["PrometheusRule", "acme"]["spec"]["groups"]
    rules = {(rule["alert"], rule["labels"].get("group")): rule["expr"] for rule in group["rules"]}
    assert set(rules) == {
        ("CoachworksFleetErrors", None),
        ("CoachworksFleetSlow", None),
        ("CoachworksFleetDown", "shared"),
        ("CoachworksFleetDown", "image-quality"),
    }
    assert 'coachworks_requests_total{namespace="mlops",pod=~"acme-' in rules["CoachworksFleetErrors", None]
    assert rules["CoachworksFleetErrors", None].endswith("> 0.01")
    assert "coachworks_request_seconds_bucket{" in rules["CoachworksFleetSlow", None]
    assert rules["CoachworksFleetSlow", None].endswith("> 0.5")
    assert 'deployment="acme-shared"' in rules["CoachworksFleetDown", "shared"]


def test_every_value_is_described() -> None:
    assert chart_docs.undocumented(CHART) == []


def test_the_golden_readme_says_what_the_values_say(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "README.md", chart_docs.readme(CHART))


def test_the_schema_says_what_the_values_say(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "values.schema.json", chart_docs.described_schema(CHART))


def test_the_schema_is_closed_and_knows_every_value() -> None:
    rendered.assert_schema_closed(CHART)


def test_a_canary_starts_from_the_defaults_of_values_yaml() -> None:
    text = (CHART / "templates" / "_values.tpl").read_text("utf-8")
    match = re.search(r'define "fleet.defaults" -}}\n(.*?){{- end }}', text, re.DOTALL)
    assert match
    values = chart_docs.read_values(CHART)
    for key, document in YAML(typ="safe", pure=True).load(match[1]).items():
        assert document == values[key], key


def test_two_skills_golden(render: Render, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, rendered.as_text(render("fleet", fleet())))
