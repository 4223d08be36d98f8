"""Objects of the platform chart and their content, by values."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chart_docs
import jsonschema
import kubernetes_validate
import pytest
import rendered
import yaml
from rendered import Objects, container, containers, environment

CHART = rendered.CHARTS / "platform"
SETS = rendered.value_sets("platform")
ALWAYS = {
    ("ConfigMap", "acme-mlflow"),
    ("Deployment", "acme-mlflow"),
    ("Pod", "acme-check"),
    ("Service", "acme-mlflow"),
    ("ServiceAccount", "acme"),
}
USUALLY = {
    ("CronJob", "acme-backup"),
    ("NetworkPolicy", "acme-backup"),
    ("NetworkPolicy", "acme-check"),
    ("NetworkPolicy", "acme-mlflow"),
    ("PodDisruptionBudget", "acme-mlflow"),
}
POSTGRESQL = {
    ("ConfigMap", "acme-postgresql"),
    ("NetworkPolicy", "acme-postgresql"),
    ("Service", "acme-postgresql"),
    ("StatefulSet", "acme-postgresql"),
}
S3 = {("NetworkPolicy", "acme-s3"), ("Service", "acme-s3"), ("StatefulSet", "acme-s3")}
AUTH = {("Secret", "acme-auth")}
GENERATED = {*AUTH, ("Secret", "acme-postgresql"), ("Secret", "acme-s3")}
EXPECTED = {
    "default": ALWAYS | USUALLY | POSTGRESQL | S3 | GENERATED,
    "external": ALWAYS | USUALLY | AUTH,
    "authority": ALWAYS | USUALLY | AUTH,
    "minimal": ALWAYS | AUTH,
    "tls": ALWAYS
    | USUALLY
    | POSTGRESQL
    | S3
    | GENERATED
    | {("Secret", "acme-metrics"), ("Secret", "kubeflow/acme-mlflow"), ("ServiceMonitor", "acme-mlflow")},
    "ingress": ALWAYS
    | USUALLY
    | POSTGRESQL
    | S3
    | GENERATED
    | {
        ("Ingress", "acme-mlflow"),
        ("Secret", "acme-metrics"),
        ("Service", "acme-nobody"),
        ("ServiceMonitor", "acme-mlflow"),
    },
    "secrets": ALWAYS
    | USUALLY
    | POSTGRESQL
    | S3
    | {
        ("PodDisruptionBudget", "acme-postgresql"),
        ("Role", "kubeflow/acme-pipelines"),
        ("Role", "models-next/acme-deployer"),
        ("Role", "models-next/acme-user"),
        ("Role", "models/acme-deployer"),
        ("Role", "models/acme-user"),
        ("RoleBinding", "kubeflow/acme-pipelines"),
        ("RoleBinding", "models-next/acme-deployer"),
        ("RoleBinding", "models-next/acme-user"),
        ("RoleBinding", "models/acme-deployer"),
        ("RoleBinding", "models/acme-user"),
        ("Secret", "kubeflow/mlflow"),
        ("ServiceAccount", "kubeflow/coachworks-deployer"),
    },
}
GUIDES = ("platform", "kubernetes")
IMAGE = "image.tag=0.1.0-1a2b3c4d5e6f"
Render = Callable[..., Objects]


@pytest.fixture(scope="session")
def render(render: Render) -> Render:
    """A function that renders a chart with the value that has no default."""
    return lambda chart, *values: render(chart, IMAGE, *values)


@pytest.fixture(scope="session")
def refusal(refusal: Callable[..., str]) -> Callable[..., str]:
    """A function that returns helm's message about values beside the one that has no default."""
    return lambda chart, *values: refusal(chart, IMAGE, *values)


@pytest.fixture
def objects(request: pytest.FixtureRequest, render: Render) -> Objects:
    return render("platform", CHART / "ci" / f"{request.param}-values.yaml")


def test_every_value_set_has_its_expected_objects() -> None:
    assert set(SETS) == set(EXPECTED)


@pytest.mark.parametrize(("name", "objects"), [(name, name) for name in SETS], indirect=["objects"])
def test_a_value_set_renders_its_expected_objects(name: str, objects: Objects) -> None:
    assert set(objects) == EXPECTED[name]


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_every_field_is_in_the_schema_of_kubernetes(objects: Objects) -> None:
    rendered.assert_known_to_kubernetes(objects)


def test_the_strict_schemas_detect_wrong_fields(render: Render) -> None:
    deployment = render("platform")["Deployment", "acme-mlflow"]
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        kubernetes_validate.validate(
            {**deployment, "spec": {**deployment["spec"], "replica": 1}}, rendered.KUBERNETES, strict=True
        )
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({**deployment, "kind": "Deploiment"}, rendered.KUBERNETES, strict=True)


@pytest.mark.parametrize("name", SETS)
def test_helm_lint_reports_nothing(lint: Callable[[str, Path], str], name: str) -> None:
    assert lint("platform", CHART / f"ci/{name}-values.yaml") == ""


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_pods_meet_the_restricted_standard(objects: Objects) -> None:
    rendered.assert_restricted(objects)
    assert all("cpu" in each["resources"]["limits"] for _, each in containers(objects))


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_passwords_are_only_in_secrets(objects: Objects) -> None:
    for name, each in containers(objects):
        for variable, value in environment(each).items():
            assert value is None or not variable.endswith(("PASSWORD", "SECRET_KEY", "ACCESS_KEY_ID")), (name, variable)


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_uninstalling_keeps_generated_secrets(objects: Objects) -> None:
    for (kind, name), document in objects.items():
        if kind == "Secret" and "/" not in name:
            assert document["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", name


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_no_permissions_beyond_the_configured_namespaces(objects: Objects) -> None:
    rendered.assert_no_rights_beyond_namespaces(objects)


def rights(objects: Objects, role: str) -> set[tuple[str, str, str]]:
    """Return the permissions of a Role: group, resource, verb."""
    return {
        (group, resource, verb)
        for rule in objects["Role", role]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_deployer_may_change_leases_and_forward_ports(render: Render) -> None:
    held = rights(render("platform", CHART / "ci/secrets-values.yaml"), "models/acme-deployer")
    changes = ("get", "list", "watch", "create", "update", "patch", "delete")
    assert {("coordination.k8s.io", "leases", verb) for verb in changes} <= held
    assert {("", "pods/portforward", verb) for verb in ("get", "create")} <= held
    assert {("", "pods/exec", "create"), ("", "pods", "delete")} & held == set()


def test_users_have_read_access_only(render: Render) -> None:
    objects = render("platform", CHART / "ci/secrets-values.yaml")
    held = rights(objects, "models/acme-user")
    assert {verb for _, _, verb in held} == {"get", "list", "watch"}
    assert {resource for _, resource, _ in held} == {
        *("configmaps", "deployments", "endpointslices", "events", "horizontalpodautoscalers", "networkpolicies"),
        *("poddisruptionbudgets", "pods", "pods/log", "replicasets", "services"),
    }
    deploys = rights(objects, "models/acme-deployer")
    assert {resource for _, resource, _ in held - deploys} == {"endpointslices"}
    assert objects["RoleBinding", "models/acme-user"]["subjects"] == [
        {"kind": "Group", "name": "data:scientists", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "dashboard", "namespace": "tools"},
    ]


def test_the_only_hook_is_the_test(render: Render) -> None:
    hooks = {
        key: document["metadata"]["annotations"]["helm.sh/hook"]
        for key, document in render("platform").items()
        if "helm.sh/hook" in document["metadata"].get("annotations", {})
    }
    assert hooks == {("Pod", "acme-check"): "test"}


def test_an_upgrade_stops_old_servers_before_new_ones_start(render: Render) -> None:
    assert render("platform")["Deployment", "acme-mlflow"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_corrected_value_replaces_a_pod_that_never_became_ready(render: Render) -> None:
    sets = rendered.of_kind(render("platform"), "StatefulSet")
    assert {name: obj["spec"]["podManagementPolicy"] for name, obj in sets.items()} == {
        "acme-postgresql": "Parallel",
        "acme-s3": "Parallel",
    }


def test_the_image_may_be_a_digest(render: Render) -> None:
    digest = f"sha256:{'a' * 64}"
    objects = render("platform", "image.tag=", f"image.digest={digest}")
    assert container(objects, "acme-mlflow/mlflow")["image"] == f"coachworks/platform@{digest}"


def test_the_server_accepts_the_host_names_of_service_and_ingress(render: Render) -> None:
    objects = render("platform", CHART / "ci/ingress-values.yaml", "mlflow.allowedHosts={mlflow.internal:8443}")
    hosts = environment(container(objects, "acme-mlflow/mlflow"))["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert hosts is not None
    assert {"acme-mlflow.mlops.svc:5000", "localhost:*", "mlflow.example", "mlflow.internal:8443"} <= set(
        hosts.split(",")
    )
    assert "*" not in hosts.split(",")


def test_the_ingress_blocks_the_assistant(render: Render) -> None:
    objects = render("platform", CHART / "ci/ingress-values.yaml")
    (rule,) = objects["Ingress", "acme-mlflow"]["spec"]["rules"]
    paths = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert paths == {"/ajax-api/3.0/mlflow/assistant": "acme-nobody", "/": "acme-mlflow"}
    selector = objects["Service", "acme-nobody"]["spec"]["selector"]
    labels = [item["spec"]["template"]["metadata"]["labels"] for key, item in objects.items() if key[0] == "Deployment"]
    assert not any(selector.items() <= label.items() for label in labels)


def test_the_network_policy_allows_the_port_of_the_s3_endpoint(render: Render) -> None:
    def egress(name: str) -> Any:
        return render("platform", CHART / f"ci/{name}-values.yaml")["NetworkPolicy", "acme-mlflow"]["spec"]["egress"]

    assert egress("authority")[-1] == {
        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
        "ports": [{"port": 9443, "protocol": "TCP"}],
    }
    assert egress("external")[-1]["ports"] == [{"port": 443, "protocol": "TCP"}]


def test_dns_is_allowed_to_any_address(render: Render) -> None:
    first = render("platform")["NetworkPolicy", "acme-mlflow"]["spec"]["egress"][0]
    assert first == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def test_only_mlflow_and_backups_reach_the_database(render: Render) -> None:
    (rule,) = render("platform")["NetworkPolicy", "acme-postgresql"]["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["mlflow", "backup"]
    assert "namespaceSelector" not in peer


def test_the_secret_for_pipelines_has_no_administrators_password(render: Render) -> None:
    secret = render("platform", "pipelines.namespace=kubeflow")["Secret", "kubeflow/acme-mlflow"]
    assert set(secret["data"]) == {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    auth = render("platform", "pipelines.namespace=kubeflow")["Secret", "acme-auth"]
    assert secret["data"]["MLFLOW_TRACKING_PASSWORD"] == auth["data"]["pipelines-password"]
    assert secret["data"]["MLFLOW_TRACKING_PASSWORD"] != auth["data"]["admin-password"]


def test_the_secret_for_pipelines_can_be_created_by_others(render: Render) -> None:
    values = ("pipelines.namespace=kubeflow", "pipelines.makeSecret=false")
    assert ("Secret", "kubeflow/acme-mlflow") not in render("platform", *values)


def test_a_private_authority_is_mounted_into_every_tls_client(render: Render) -> None:
    objects = render("platform", CHART / "ci/authority-values.yaml")
    for name in ("acme-mlflow/prepare", "acme-mlflow/mlflow", "acme-backup/backup"):
        mounted = container(objects, name)
        path = "/etc/coachworks/authority/ca.crt"
        assert environment(mounted)["AWS_CA_BUNDLE"] == environment(mounted)["PGSSLROOTCERT"] == path
        assert "/etc/coachworks/authority" in {mount["mountPath"] for mount in mounted["volumeMounts"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["mlflow.replica=2"], r"(?i)additional propert\w+ '?replica'?"),  # the message differs between Helm 3 and 4
        (["mlflow.workers=0"], r"(?is)mlflow.workers.*(minimum|greater than or equal)"),
        (
            ["image.tag="],
            r"(?s)image.tag must be set, or image.digest: no registry.*`coachworks images platform .*such as 0\.1",
        ),
        (["postgresql.image.repository=db"], "postgresql.image.tag must be set with postgresql.image.repository=db"),
        (["s3.endpoint=https://s3.example"], r"s3\.endpoint must be empty with s3Server\.enabled"),
        (["postgresql.enabled=false"], "externalPostgresql.host and externalPostgresql.existingSecret must be set"),
        (["backup.enabled=false", "restore.from=latest"], "restore.from needs backup.enabled"),
        (["certificateAuthority.configMap=a", "certificateAuthority.secret=b"], "a configMap or a secret, not both"),
        (["mlflow.metrics.serviceMonitor.enabled=true"], "needs mlflow.metrics.enabled"),
        (["rbac.create=true", "rbac.pipelineRunner.deploys=true"], "needs pipelines.namespace"),
        (
            ["rbac.users[0].kind=User", "rbac.users[0].name=ada"],
            "rbac.users needs rbac.create and rbac.servingNamespaces",
        ),
        (
            ["rbac.users[0].kind=User", "rbac.users[0].name=ada", "rbac.users[0].namespace=tools"],
            "rbac.users: the User ada cannot have a namespace",
        ),
        (["rbac.users[0].kind=Robot", "rbac.users[0].name=r2"], r"(?is)rbac.users.0.kind.*must be one of"),
        (["ingress.enabled=true"], "ingress.host must be set"),
        (["backup.schedule=daily"], r"(?is)backup.schedule.*does not match pattern"),
    ],
)
def test_invalid_values_are_refused(refusal: Callable[..., str], values: list[str], message: str) -> None:
    assert re.search(message, refusal("platform", *values))


def test_the_values_in_the_guide_are_valid(template: Callable[..., Any]) -> None:
    """Those in a block of YAML as they stand, those in a command with its variables set."""
    pages = {name: (rendered.CHARTS.parent / "docs/guide" / f"{name}.md").read_text("utf-8") for name in GUIDES}
    block = re.search(r'^```yaml title="platform.yaml"\n(.*?)^```', pages["platform"], re.DOTALL | re.MULTILINE)
    command = re.search(r"^cat > platform.yaml (<<EOF\n.*?^EOF\n)", pages["kubernetes"], re.DOTALL | re.MULTILINE)
    assert block
    assert command
    texts = [block[1]]
    for endpoint in ("", "https://s3.example:9000"):
        variables = {"PLATFORM": "acme/x:0.1.0-1a", "BUCKET": "cars", "AWS_REGION": "eu", "AWS_ENDPOINT_URL": endpoint}
        script, environ = ["bash", "-euc", f"cat {command[1]}"], os.environ | variables
        texts.append(subprocess.run(script, env=environ, capture_output=True, text=True, check=True).stdout)
    for text in texts:
        done = template("platform", yaml.safe_load(text))
        assert done.returncode == 0, done.stderr
        assert re.search(r'image: "[^"]+/[^"]+:0.1.0-', done.stdout)


def test_every_value_is_described() -> None:
    assert chart_docs.undocumented(CHART) == []


def test_the_golden_readme_matches_the_values(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "README.md", chart_docs.readme(CHART))


def test_the_schema_matches_the_values(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "values.schema.json", chart_docs.described_schema(CHART))


def test_the_schema_is_closed_and_has_every_value() -> None:
    rendered.assert_schema_closed(CHART)
