"""TLS of the platform's servers: what each server mounts, and what each client verifies."""

from collections.abc import Callable
from typing import Any

import pytest
import rendered
from rendered import Objects, container, environment

CHART = rendered.CHARTS / "platform"
IMAGE = "image.tag=0.1.0-1a2b3c4d5e6f"
TLS = "tls.existingSecret=acme-tls"
AUTHORITY = "/etc/coachworks/authority/ca.crt"
SERVERS = ("acme-mlflow/mlflow", "acme-postgresql/postgresql", "acme-s3/s3")
CLIENTS = ("acme-mlflow/prepare", "acme-mlflow/mlflow", "acme-backup/backup")


@pytest.fixture
def objects(render: Callable[..., Objects]) -> Objects:
    return render("platform", CHART / "ci/tls-values.yaml")


def volumes(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    spec = objects[kind, name]["spec"]
    spec = spec["template"]["spec"] if "template" in spec else spec
    return {volume["name"]: volume for volume in spec["volumes"]}


def test_every_server_has_the_certificate_and_no_client_the_private_key(objects: Objects) -> None:
    for name in SERVERS:
        mounts = {mount["name"]: mount["mountPath"] for mount in container(objects, name)["volumeMounts"]}
        assert mounts["certificate"] == "/etc/coachworks/certificate"
    for name in ("acme-mlflow/prepare", "acme-backup/backup", "acme-check/check"):
        assert "certificate" not in {mount["name"] for mount in container(objects, name)["volumeMounts"]}
    secret = volumes(objects, "StatefulSet", "acme-postgresql")["certificate"]["secret"]
    assert secret["secretName"] == "platform-tls"
    assert secret["defaultMode"] == 0o440  # PostgreSQL refuses to start with more
    assert [item["key"] for item in secret["items"]] == ["tls.crt", "tls.key"]


def test_every_client_verifies_authority_and_name(objects: Objects) -> None:
    for name in CLIENTS:
        variables = environment(container(objects, name))
        assert variables["PGSSLMODE"] == "verify-full"
        assert variables["PGHOST"] == "acme-postgresql.mlops.svc"
        assert variables["PGSSLROOTCERT"] == variables["AWS_CA_BUNDLE"] == AUTHORITY
        assert variables["AWS_ENDPOINT_URL"] == "https://acme-s3.mlops.svc:7070"
        assert "authority" in {mount["name"] for mount in container(objects, name)["volumeMounts"]}
    check = environment(container(objects, "acme-check/check"))
    assert check["MLFLOW_TRACKING_URI"] == "https://acme-mlflow.mlops.svc:5000"
    assert check["MLFLOW_TRACKING_SERVER_CERT_PATH"] == check["SSL_CERT_FILE"] == AUTHORITY
    for kind, name in (("Deployment", "acme-mlflow"), ("Pod", "acme-check")):
        authority = volumes(objects, kind, name)["authority"]["secret"]
        assert (authority["secretName"], authority["items"]) == (
            "platform-tls",
            [{"key": "ca.crt", "path": "ca.crt"}],
        )


def test_servers_speak_tls_and_their_probes_too(objects: Objects) -> None:
    files = ("/etc/coachworks/certificate/tls.crt", "/etc/coachworks/certificate/tls.key")
    assert (
        f"--uvicorn-opts=--ssl-certfile {files[0]} --ssl-keyfile {files[1]}"
        in (container(objects, "acme-mlflow/mlflow")["command"])
    )
    arguments = container(objects, "acme-s3/s3")["args"]
    assert arguments[-6:] == ["--cert", files[0], "--key", files[1], "posix", "/data"]
    for name in ("acme-mlflow/mlflow", "acme-s3/s3"):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container(objects, name)[probe]["httpGet"]["scheme"] == "HTTPS"
    settings = container(objects, "acme-postgresql/postgresql")["args"]
    assert {"ssl=on", f"ssl_cert_file={files[0]}", "ssl_min_protocol_version=TLSv1.2"} <= set(settings)


def test_postgresql_refuses_other_connections_than_from_its_own_pod(objects: Objects) -> None:
    settings = container(objects, "acme-postgresql/postgresql")["args"]
    assert "hba_file=/etc/coachworks/pg_hba.conf" in settings
    rules = objects["ConfigMap", "acme-postgresql"]["data"]["pg_hba.conf"].splitlines()
    assert rules[-1] == "hostssl all all all scram-sha-256"
    assert [rule.split()[3] for rule in rules[1:-1]] == ["127.0.0.1/32", "::1/128"]


def test_settings_of_ones_own_stay_beside_it(render: Callable[..., Objects]) -> None:
    objects = render("platform", IMAGE, TLS, "postgresql.settings.shared_buffers=256MB")
    settings = container(objects, "acme-postgresql/postgresql")["args"]
    assert {"shared_buffers=256MB", "ssl=on"} <= set(settings)


def test_pipelines_and_prometheus_get_the_address_with_tls(objects: Objects) -> None:
    import base64

    secret = objects["Secret", "kubeflow/acme-mlflow"]["data"]
    assert base64.b64decode(secret["MLFLOW_TRACKING_URI"]) == b"https://acme-mlflow.mlops.svc:5000"
    [endpoint] = objects["ServiceMonitor", "acme-mlflow"]["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["tlsConfig"]["serverName"]) == ("https", "acme-mlflow.mlops.svc")
    assert endpoint["tlsConfig"]["ca"]["secret"] == {"name": "platform-tls", "key": "ca.crt"}


def test_an_authority_of_ones_own_takes_precedence(render: Callable[..., Objects]) -> None:
    objects = render("platform", IMAGE, TLS, "certificateAuthority.configMap=authorities")
    assert volumes(objects, "Deployment", "acme-mlflow")["authority"]["configMap"]["name"] == "authorities"


def test_a_public_s3_is_verified_with_the_systems_authorities(render: Callable[..., Objects]) -> None:
    objects = render("platform", IMAGE, TLS, "s3Server.enabled=false", "s3.endpoint=https://s3.example")
    variables = environment(container(objects, "acme-mlflow/mlflow"))
    assert "AWS_CA_BUNDLE" not in variables
    assert variables["PGSSLROOTCERT"] == AUTHORITY


def test_without_it_no_server_speaks_tls(render: Callable[..., Objects]) -> None:
    objects = render("platform", IMAGE)
    for name in CLIENTS:
        assert environment(container(objects, name))["PGSSLMODE"] == "disable"
    assert "ssl=on" not in container(objects, "acme-postgresql/postgresql").get("args", [])
    assert "pg_hba.conf" not in objects["ConfigMap", "acme-postgresql"]["data"]
