"""TLS by a mounted certificate: on every port, renewed without a restart, and refused where it cannot be used."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from certificates import Authority
from http_service import JPEG
from raw_http import connect, on_a_port, read, request_bytes

from coachworks.errors import DataError
from coachworks.tls import client_context
from serving import certificate as module
from serving.answer_format import Prediction
from serving.certificate import Certificate, certificate_of
from serving.client import Client
from serving.predictor import Predictor
from serving.settings import ServingSettings

LIMITS = ServingSettings(header_timeout_s=1, max_connections=16)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def folder(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority.sign("localhost").write(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest, predictor: Predictor, folder: Path) -> Iterator[int]:
    """The port of a server on each of the event loops that uvicorn may choose."""
    with on_a_port(predictor, LIMITS, uvloop=request.param == "uvloop", certificate=Certificate(folder)) as port:
        yield port


@pytest.fixture
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


def connection_to(port: int, authority: Path, **options: Any) -> http.client.HTTPSConnection:
    context = client_context(authority)
    for name, value in options.items():
        setattr(context, name, value)
    return http.client.HTTPSConnection("localhost", port, context=context, timeout=10)


def serial_of(port: int) -> str:
    """Return the serial number of the certificate that the server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connect(port)) as tls:
        certificate = tls.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate.hex()


def test_a_client_that_verifies_the_certificate_gets_answers(port: int, folder: Path, red: bytes):
    client = Client(f"https://localhost:{port}", authority=folder / "ca.crt")
    for _ in range(3):
        answer: Any = client.predict(red)
        assert isinstance(answer, Prediction), answer
        assert list(answer.answers) == ["colour", "light"]


def test_a_connection_is_kept_and_a_large_body_arrives(port: int, folder: Path, red: bytes):
    connection = connection_to(port, folder / "ca.crt")
    for size in (0, 3_000_000, 10):
        connection.request("POST", "/v1/predict", red + bytes(size), JPEG)
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["answers"]
    connection.close()


def test_a_refusal_before_the_end_of_the_body_reaches_the_client(port: int, folder: Path):
    connection = connection_to(port, folder / "ca.crt")
    connection.request("POST", "/v1/predict", bytes(2_000_000), {"Content-Type": "text/plain"})
    assert connection.getresponse().status == 415
    connection.close()


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(port: int, folder: Path):
    context = client_context(folder / "ca.crt")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connect(port) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        tls.write(request_bytes())
        connection.sendall(outgoing.read())  # the client's last message of the handshake, and its request
        while True:
            try:
                assert tls.read(65536).startswith(b"HTTP/1.1 200 ")
                break
            except ssl.SSLWantReadError:
                incoming.write(connection.recv(65536))


def test_the_versions_are_1_2_and_1_3(port: int, folder: Path):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        connection = connection_to(port, folder / "ca.crt", maximum_version=version, minimum_version=version)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r"(?i)version|closed|reset|eof"), connect(port) as plain:
        context.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_gets_no_answer_and_later_clients_do(port: int, folder: Path):
    with connect(port) as plain:
        plain.sendall(request_bytes())
        assert b"HTTP" not in read(plain, 5).data
    assert Client(f"https://localhost:{port}", authority=folder / "ca.crt").predict(b"x")


def test_a_client_that_says_nothing_is_closed_in_time(port: int):
    started = time.monotonic()
    with connect(port) as silent, connect(port) as hesitant:
        hesitant.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a handshake
        for client in (silent, hesitant):
            assert read(client, 8).closed != "open"
    assert time.monotonic() - started < 5


def test_silent_connections_do_not_keep_others_out(port: int, folder: Path, red: bytes):
    with ExitStack() as stack:
        for _ in range(40):  # more than the service holds
            stack.enter_context(connect(port))
        started = time.monotonic()
        assert Client(f"https://localhost:{port}", authority=folder / "ca.crt").predict(red)
        assert time.monotonic() - started < 5


def test_clients_that_leave_at_any_moment_do_not_keep_the_server_from_stopping(predictor: Predictor, folder: Path):
    for uvloop in (False, True):
        with on_a_port(predictor, LIMITS, uvloop=uvloop, certificate=Certificate(folder)) as port:
            for _ in range(20):
                assert serial_of(port)  # closes after the handshake
                connect(port).close()
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 5


# renewal


def test_a_renewed_certificate_is_used_without_a_restart(
    predictor: Predictor,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(module, "REREAD_S", 0.0)
    authority.sign("localhost").write(tmp_path)
    with on_a_port(predictor, certificate=Certificate(tmp_path)) as port:
        first = serial_of(port)
        with connection_kept(port, tmp_path / "ca.crt") as kept:
            authority.sign("localhost").write(tmp_path)
            second = serial_of(port)
            assert second != first
            (tmp_path / "tls.key").write_text("half a file")
            assert serial_of(port) == second  # the earlier one is kept
            authority.sign("localhost", days=-1).write(tmp_path)
            assert serial_of(port) == second
            kept.request("GET", "/livez")
            assert kept.getresponse().status == 200
        authority.sign("localhost").write(tmp_path)
        assert serial_of(port) not in {first, second}
    assert "the earlier certificate is kept: " in caplog.text
    assert "certificate has expired" in caplog.text


class connection_kept:  # noqa: N801 — used like a function
    """A connection with one request behind it."""

    def __init__(self, port: int, authority: Path) -> None:
        self._connection = connection_to(port, authority)

    def __enter__(self) -> http.client.HTTPSConnection:
        self._connection.request("GET", "/livez")
        self._connection.getresponse().read()
        return self._connection

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


# refusals


def test_a_certificate_that_cannot_be_used_is_refused(authority: Authority, tmp_path: Path):
    good, other = authority.sign("localhost"), authority.sign("localhost")

    def refusal(certificate: str | None = good.certificate, key: str | None = good.key) -> str:
        for name, text in (("tls.crt", certificate), ("tls.key", key)):
            (tmp_path / name).unlink(missing_ok=True)
            if text is not None:
                (tmp_path / name).write_text(text)
        with pytest.raises(DataError) as err:
            certificate_of({"COACHWORKS_CERTIFICATE": str(tmp_path)})
        begin, end = (
            f"{tmp_path} must hold a valid certificate and its private key: ",
            (". In a pod it is a Secret: `kubectl create secret tls NAME --cert=tls.crt --key=tls.key`."),
        )
        assert str(err.value).startswith(begin)
        assert str(err.value).endswith(end)
        return str(err.value).removeprefix(begin).removesuffix(end)

    assert refusal(certificate=None) == "tls.crt cannot be read: No such file or directory"
    assert refusal(key=None) == "tls.key cannot be read: No such file or directory"
    assert refusal(key=other.key) == "tls.key is the key of another certificate"
    assert refusal(certificate="none").startswith("they are not PEM: ")
    assert refusal(key="none").startswith("they are not PEM: ")
    assert refusal(certificate=authority.sign("localhost", days=-1).certificate, key=None).startswith("tls.key cannot")
    expired = authority.sign("localhost", days=-1)
    assert refusal(expired.certificate, expired.key) == "tls.crt: certificate has expired"
    locked = encrypted(good.key)
    assert refusal(key=locked) == "tls.key is encrypted, and there is nobody to type its password"
    assert certificate_of({}) is None


def encrypted(key: str) -> str:
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(key.encode(), None)
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()
