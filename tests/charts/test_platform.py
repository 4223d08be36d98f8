"""The chart of MLflow: which objects, and what they hold, for which values."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chart_docs
import jsonschema
import kubernetes_validate
import pytest
import rendered
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
Render = Callable[..., Objects]


@pytest.fixture
def objects(request: pytest.FixtureRequest, render: Render) -> Objects:
    return render("platform", CHART / "ci" / f"{request.param}-values.yaml")


def test_every_value_set_has_its_objects_named_here() -> None:
    assert set(SETS) == set(EXPECTED)


@pytest.mark.parametrize(("name", "objects"), [(name, name) for name in SETS], indirect=["objects"])
def test_the_objects_are_these(name: str, objects: Objects) -> None:
    assert set(objects) == EXPECTED[name]


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_kubernetes_knows_every_field(objects: Objects) -> None:
    rendered.assert_known_to_kubernetes(objects)


def test_the_strict_schemas_know_what_is_wrong(render: Render) -> None:
    made = render("platform")["Deployment", "acme-mlflow"]
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        kubernetes_validate.validate({**made, "spec": {**made["spec"], "replica": 1}}, rendered.KUBERNETES, strict=True)
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({**made, "kind": "Deploiment"}, rendered.KUBERNETES, strict=True)


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_say(lint: Callable[[str, Path], str], name: str) -> None:
    assert lint("platform", CHART / f"ci/{name}-values.yaml") == ""


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_pods_are_as_the_restricted_standard_wants_them(objects: Objects) -> None:
    rendered.assert_restricted(objects)
    assert all("cpu" in made["resources"]["limits"] for _, made in containers(objects))


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_no_password_stands_outside_a_secret(objects: Objects) -> None:
    for name, made in containers(objects):
        for variable, value in environment(made).items():
            assert value is None or not variable.endswith(("PASSWORD", "SECRET_KEY", "ACCESS_KEY_ID")), (name, variable)


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_uninstalling_keeps_generated_secrets(objects: Objects) -> None:
    for (kind, name), made in objects.items():
        if kind == "Secret" and "/" not in name:
            assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", name


@pytest.mark.parametrize("objects", SETS, indirect=True)
def test_no_rights_beyond_the_named_namespaces(objects: Objects) -> None:
    rendered.assert_no_rights_beyond_namespaces(objects)


def rights(objects: Objects, role: str) -> set[tuple[str, str, str]]:
    """What a role lets its holders do: group, resource, verb."""
    return {
        (group, resource, verb)
        for rule in objects["Role", role]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_deployer_may_hold_a_lease_and_ask_pods(render: Render) -> None:
    held = rights(render("platform", CHART / "ci/secrets-values.yaml"), "models/acme-deployer")
    changes = ("get", "list", "watch", "create", "update", "patch", "delete")
    assert {("coordination.k8s.io", "leases", verb) for verb in changes} <= held
    assert {("", "pods/portforward", verb) for verb in ("get", "create")} <= held
    assert {("", "pods/exec", "create"), ("", "pods", "delete")} & held == set()


def test_users_see_what_is_deployed_and_change_nothing(render: Render) -> None:
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


def test_no_hook_waits_for_what_the_chart_starts(render: Render) -> None:
    hooks = {
        key: made["metadata"]["annotations"]["helm.sh/hook"]
        for key, made in render("platform").items()
        if "helm.sh/hook" in made["metadata"].get("annotations", {})
    }
    assert hooks == {("Pod", "acme-check"): "test"}


def test_two_servers_of_different_versions_never_meet_one_database(render: Render) -> None:
    assert render("platform")["Deployment", "acme-mlflow"]["spec"]["strategy"] == {"type": "Recreate"}


def test_requests_are_let_in_by_the_names_of_the_service_and_the_ingress(render: Render) -> None:
    objects = render("platform", CHART / "ci/ingress-values.yaml", "mlflow.allowedHosts={mlflow.internal:8443}")
    hosts = environment(container(objects, "acme-mlflow/mlflow"))["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert hosts is not None
    assert {"acme-mlflow.mlops.svc:5000", "localhost:*", "mlflow.example", "mlflow.internal:8443"} <= set(
        hosts.split(",")
    )
    assert "*" not in hosts.split(",")


def test_the_assistant_leads_nowhere_from_outside(render: Render) -> None:
    objects = render("platform", CHART / "ci/ingress-values.yaml")
    (rule,) = objects["Ingress", "acme-mlflow"]["spec"]["rules"]
    paths = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert paths == {"/ajax-api/3.0/mlflow/assistant": "acme-nobody", "/": "acme-mlflow"}
    selector = objects["Service", "acme-nobody"]["spec"]["selector"]
    labels = [made["spec"]["template"]["metadata"]["labels"] for key, made in objects.items() if key[0] == "Deployment"]
    assert not any(selector.items() <= label.items() for label in labels)


def test_an_external_s3_is_reached_at_the_port_of_its_address(render: Render) -> None:
    def egress(name: str) -> Any:
        return render("platform", CHART / f"ci/{name}-values.yaml")["NetworkPolicy", "acme-mlflow"]["spec"]["egress"]

    assert egress("authority")[-1] == {
        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
        "ports": [{"port": 9443, "protocol": "TCP"}],
    }
    assert egress("external")[-1]["ports"] == [{"port": 443, "protocol": "TCP"}]


def test_names_may_be_asked_of_anybody(render: Render) -> None:
    first = render("platform")["NetworkPolicy", "acme-mlflow"]["spec"]["egress"][0]
    assert first == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def test_only_mlflow_and_backups_reach_the_database(render: Render) -> None:
    (rule,) = render("platform")["NetworkPolicy", "acme-postgresql"]["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["mlflow", "backup"]
    assert "namespaceSelector" not in peer


def test_pipelines_are_told_by_a_secret_without_the_administrators_password(render: Render) -> None:
    told = render("platform", "pipelines.namespace=kubeflow")["Secret", "kubeflow/acme-mlflow"]
    assert set(told["data"]) == {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    auth = render("platform", "pipelines.namespace=kubeflow")["Secret", "acme-auth"]
    assert told["data"]["MLFLOW_TRACKING_PASSWORD"] == auth["data"]["pipelines-password"]
    assert told["data"]["MLFLOW_TRACKING_PASSWORD"] != auth["data"]["admin-password"]


def test_the_secret_of_pipelines_may_be_somebody_elses(render: Render) -> None:
    values = ("pipelines.namespace=kubeflow", "pipelines.makeSecret=false")
    assert ("Secret", "kubeflow/acme-mlflow") not in render("platform", *values)


def test_a_private_authority_reaches_everything_that_speaks_tls(render: Render) -> None:
    objects = render("platform", CHART / "ci/authority-values.yaml")
    for name in ("acme-mlflow/prepare", "acme-mlflow/mlflow", "acme-backup/backup"):
        made = container(objects, name)
        path = "/etc/coachworks/authority/ca.crt"
        assert environment(made)["AWS_CA_BUNDLE"] == environment(made)["PGSSLROOTCERT"] == path
        assert "/etc/coachworks/authority" in {mount["mountPath"] for mount in made["volumeMounts"]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["mlflow.replica=2"], r"(?i)additional propert\w+ '?replica'?"),  # Helm 3 and 4 say it differently
        (["mlflow.workers=0"], r"(?is)mlflow.workers.*(minimum|greater than or equal)"),
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
def test_values_that_cannot_work_are_refused(refusal: Callable[..., str], values: list[str], said: str) -> None:
    assert re.search(said, refusal("platform", *values))


def test_every_value_is_described() -> None:
    assert chart_docs.undocumented(CHART) == []


def test_the_golden_readme_says_what_the_values_say(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "README.md", chart_docs.readme(CHART))


def test_the_schema_says_what_the_values_say(golden: Callable[[Path, str], None]) -> None:
    golden(CHART / "values.schema.json", chart_docs.described_schema(CHART))


def test_the_schema_is_closed_and_knows_every_value() -> None:
    rendered.assert_schema_closed(CHART)
