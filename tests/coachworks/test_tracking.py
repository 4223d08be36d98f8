"""The address of the tracking store, its client, and the messages when it fails."""

import json
import sqlite3
import ssl
import threading
import traceback
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from mlflow import MlflowClient
from small_fleets import small_fleet

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.progress import SILENT
from coachworks.tracking import (
    Tracking,
    comparison_page,
    experiment_page,
    model_page,
    open_client,
    server_environment,
    tracking_of,
    translated,
)


def fleet_with(store, tracking=None):
    return small_fleet({"view": {"labels": ["front", "rear"]}}, store=store.uri, tracking=tracking)


@pytest.fixture
def answering(monkeypatch):
    """Return a function that starts a server with one response for all requests and returns its address."""
    servers = []
    for name in ("USERNAME", "PASSWORD", "TOKEN", "SERVER_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "0")

    def start(status, body, certificate=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                start.requests += 1
                start.credentials = self.headers.get("Authorization")
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_POST = do_GET  # noqa: N815 — the name that BaseHTTPRequestHandler calls

            def log_message(self, *args):
                pass

        start.requests = 0
        server = HTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A PEM file with a key and a certificate for 127.0.0.1 that no authority has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = signed.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.crt").write_bytes(public)
    (folder / "server.pem").write_bytes(private + public)
    return folder


@pytest.fixture
def encrypted(answering, certificate):
    """Address of a server with that certificate, which has no experiments."""
    address = answering(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}, certificate / "server.pem")
    return address.replace("http:", "https:")


def ask(address, progress=SILENT):
    tracking = Tracking(uri=address)
    client = open_client(tracking, progress)
    with translated(tracking):
        client.get_experiment_by_name("showroom/view")


def test_the_environment_overrides_the_fleet_file_and_the_default_is_the_store(store):
    environ = {"MLFLOW_TRACKING_URI": "http://mlflow.platform.svc:5000/"}
    both = tracking_of(fleet_with(store, "https://mlflow.example/"), environ)
    assert both.uri == "http://mlflow.platform.svc:5000"
    assert both.public == both.name == "https://mlflow.example"
    from_here = tracking_of(fleet_with(store, "https://mlflow.example"), {})
    assert (from_here.uri, from_here.public) == ("https://mlflow.example", "https://mlflow.example")
    assert tracking_of(fleet_with(store), environ).public == "http://mlflow.platform.svc:5000"
    embedded = tracking_of(fleet_with(store), {})
    assert embedded.database == store.root / "mlflow" / "mlflow.db"
    assert embedded.name == "embedded"
    assert embedded.artifact_location("showroom/view").endswith("/mlflow/artifacts/showroom/view")


def test_a_bucket_cannot_hold_an_embedded_store():
    fleet = fleet_with(SimpleNamespace(uri="s3://cars/fleet"))
    with pytest.raises(InvalidConfigError, match=r"'s3://cars/fleet' is no folder.*set spec\.tracking to the address"):
        tracking_of(fleet, {})
    assert tracking_of(fleet, {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}).uri == "http://mlflow:5000"


def test_credentials_in_an_address_are_refused_and_not_repeated(store):
    environ = {"MLFLOW_TRACKING_URI": "https://anna:tell-nobody@mlflow.example"}
    with pytest.raises(InvalidConfigError, match=r"must not hold a user name.*MLFLOW_TRACKING_USERNAME") as caught:
        tracking_of(fleet_with(store), environ)
    assert "tell-nobody" not in str(caught.value)


def test_the_environment_may_name_an_sqlite_file(store, tmp_path):
    named = tracking_of(fleet_with(store), {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/shared.db"})
    assert named.database == tmp_path / "shared.db"


@pytest.mark.parametrize("uri", ["file:./mlruns", "mlruns", "databricks", "http://", "sqlite://"])
def test_an_unsupported_address_is_refused(store, uri):
    with pytest.raises(
        InvalidConfigError, match=r"MLFLOW_TRACKING_URI must be the http\(s\) address of an MLflow server"
    ):
        tracking_of(fleet_with(store), {"MLFLOW_TRACKING_URI": uri})


def test_telemetry_and_job_runners_are_off_and_a_user_s_time_out_is_kept():
    environment = server_environment({"MLFLOW_HTTP_REQUEST_TIMEOUT": "300"})
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "300"


def test_the_path_of_an_embedded_store_may_contain_spaces(tmp_path):
    folder = tmp_path / "my photos & cars" / "mlflow"
    client = open_client(Tracking(uri=f"sqlite:///{folder}/mlflow.db", database=folder / "mlflow.db"))
    assert client.get_experiment_by_name("showroom/view") is None
    assert (folder / "mlflow.db").exists()
    assert not (folder / "mlruns").exists()


def test_requests_to_an_unreachable_server_are_retried_until_the_limit_with_a_note(monkeypatch):
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "1")
    notes = []
    progress = SimpleNamespace(note=notes.append)
    with pytest.raises(
        TransientError, match=r"http://127\.0\.0\.1:9 does not answer \(Connection refused\)\. Check the"
    ):
        ask("http://127.0.0.1:9", progress)
    assert notes == ["waiting up to 1 s: the tracking server http://127.0.0.1:9 does not answer (Connection refused)"]


def test_requests_that_create_something_on_every_call_are_not_repeated(answering, monkeypatch):
    tracking = Tracking(uri=answering(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}))
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "1")
    client = open_client(tracking)
    for create in (lambda: client.create_run("0"), lambda: client.create_model_version("showroom.view", "runs:/1/m")):
        requests = answering.requests
        with pytest.raises(TransientError):
            create()
        assert answering.requests == requests + 1
    requests = answering.requests
    with pytest.raises(TransientError):
        client.get_run("1" * 32)
    assert answering.requests > requests + 1


@pytest.mark.parametrize("patience", ["soon", "-1", "nan", "1e9"])
def test_the_limit_of_retries_must_be_a_number_of_seconds(monkeypatch, patience):
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", patience)
    with pytest.raises(InvalidConfigError, match=r"COACHWORKS_TRACKING_PATIENCE_S must be a number of seconds in \[0"):
        open_client(Tracking(uri="http://127.0.0.1:9"))


def test_missing_credentials_are_reported_with_the_variables_to_set(answering):
    address = answering(401, {"error_code": "UNAUTHENTICATED", "message": "who?"})
    with pytest.raises(InvalidConfigError, match=r"requires valid credentials \(401\)\. Set MLFLOW_TRACKING_USERNAME"):
        ask(address)


def test_a_missing_permission_is_reported(answering):
    address = answering(403, {"error_code": "PERMISSION_DENIED", "message": "not yours"})
    with pytest.raises(InvalidConfigError, match=r"refuses access \(403\).*Ask its administrator"):
        ask(address)


def test_an_overloaded_server_is_a_transient_error(answering):
    address = answering(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"})
    with pytest.raises(TransientError, match=r"(?i)run again: what is done is kept"):
        ask(address)


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "tell-nobody"}, "Bearer tell-nobody"),
        (
            {"MLFLOW_TRACKING_USERNAME": "anna", "MLFLOW_TRACKING_PASSWORD": "tell-nobody"},
            f"Basic {b64encode(b'anna:tell-nobody').decode()}",
        ),
    ],
)
def test_credentials_are_sent_and_appear_in_no_message(answering, monkeypatch, environ, sent):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    address = answering(401, {"error_code": "UNAUTHENTICATED", "message": "who?"})
    with pytest.raises(InvalidConfigError, match="requires valid credentials") as caught:
        ask(address)
    assert answering.credentials == sent
    output = "".join(traceback.format_exception(caught.value))
    assert "tell-nobody" not in output
    assert sent.split()[1] not in output


def test_a_certificate_of_an_unknown_authority_names_the_variable(encrypted):
    with pytest.raises(InvalidConfigError, match=r"certificate of .* is not trusted.*MLFLOW_TRACKING_SERVER_CERT_PATH"):
        ask(encrypted)


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"])
def test_a_private_certificate_authority_can_be_trusted(encrypted, certificate, monkeypatch, name):
    monkeypatch.setenv(name, str(certificate / "ca.crt"))
    ask(encrypted)


def test_a_missing_file_of_certificate_authorities_is_named(encrypted, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/no/such/ca.crt")
    with pytest.raises(InvalidConfigError, match=r"/no/such/ca\.crt"):
        ask(encrypted)


def test_https_to_an_http_server_is_reported(answering):
    with pytest.raises(InvalidConfigError, match=r"speaks no TLS: name it as http://"):
        ask(answering(200, {}).replace("http:", "https:"))


def test_a_missing_alias_is_a_not_found_error(tmp_path):
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", database=tmp_path / "mlflow.db")
    client = MlflowClient(tracking.uri)
    client.create_registered_model("showroom.view")
    with pytest.raises(NotFoundError, match="alias champion not found"), translated(tracking):
        client.get_model_version_by_alias("showroom.view", "champion")
    with pytest.raises(CoachworksError, match=r"refused: .*already exists"), translated(tracking):
        client.create_registered_model("showroom.view")


def test_tables_of_another_version_are_refused_with_the_upgrade_command(tmp_path):
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/mlflow.db", database=tmp_path / "mlflow.db")
    open_client(tracking)
    with closing(sqlite3.connect(tracking.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
        connection.commit()
    other = tmp_path / "other.db"
    tracking.database.rename(other)
    with pytest.raises(InvalidConfigError, match=r"belong to another version of MLflow.*mlflow db upgrade"):
        open_client(Tracking(uri=f"sqlite:///{other}", database=other))


def test_addresses_of_pages_contain_the_ids():
    assert experiment_page("7").startswith("/#/experiments/7/runs?")
    assert comparison_page("7", ["a", "b"]).startswith("/#/compare-runs?runs=%5B%22a%22%2C%20%22b%22%5D")
    assert model_page("showroom.view").startswith("/#/models/showroom.view?")
