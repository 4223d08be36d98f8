"""The client of `coachworks predict --url`: API keys, and certificates that are verified by authority and name."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import Authority
from click.testing import CliRunner

from coachworks.cli.predict import predict
from coachworks.errors import InvalidConfigError
from serving.answer_format import ErrorBody, ErrorDocument
from serving.client import Client, RemoteError

KEY = "k" * 40


class Server(ThreadingHTTPServer):
    """Refuses every photo, and a wrong key before that."""

    headers: list[str | None]
    daemon_threads = True
    block_on_close = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            assert isinstance(self.server, Server)
            key = self.headers["Authorization"]
            self.server.headers.append(key)
            status, code = (422, "not-a-photo") if key in {None, f"Bearer {KEY}"} else (401, "unauthorized")
            error = ErrorBody(code=code, message="the API key must be one of this service; it is not", way_out="Ask.")
            body = ErrorDocument(error=error).model_dump_json().encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Server.Handler) as server:
        server.headers = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def speak_tls(server: Server, authority: Authority, folder: Path, *names: str, days: float = 10) -> Path:
    """Let the server speak TLS with a certificate for `names`; return the file of its authority."""
    authority.sign(*names, days=days).write(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return folder / "ca.crt"


def test_the_key_is_sent_as_a_bearer_token(server: Server):
    address = f"http://127.0.0.1:{server.server_port}"
    for key in (KEY, None):
        reply = Client(address, key=key).predict(b"x")
        assert isinstance(reply, ErrorBody)
        assert reply.code == "not-a-photo"
    assert server.headers == [f"Bearer {KEY}", None]


def test_a_refused_key_names_the_ways_to_give_one(server: Server):
    with pytest.raises(RemoteError, match=r"answered 401: the API key must be one of this service; it is not\.") as err:
        Client(f"http://127.0.0.1:{server.server_port}", key="wrong").predict(b"x")
    assert err.match("Name a file that holds the key with `--api-key-file FILE`, or set COACHWORKS_API_KEY.$")


def test_a_certificate_is_verified_with_the_authority_and_the_own_certificate(
    server: Server, authority: Authority, tmp_path: Path
):
    file = speak_tls(server, authority, tmp_path, "localhost")
    for trusted in (file, tmp_path / "tls.crt"):
        reply = Client(f"https://localhost:{server.server_port}", authority=trusted).predict(b"x")
        assert isinstance(reply, ErrorBody)


@pytest.mark.parametrize(
    ("names", "days", "trusted", "reason"),
    [
        (["localhost"], 10, False, "unable to get local issuer certificate"),
        (["elsewhere"], 10, True, "Hostname mismatch, certificate is not valid for 'localhost'"),
        (["localhost"], -1, True, "certificate has expired"),
    ],
)
def test_a_certificate_that_cannot_be_verified_is_refused_with_the_way_out(
    server: Server, authority: Authority, tmp_path: Path, names: list[str], days: float, trusted: bool, reason: str
):
    file = speak_tls(server, authority, tmp_path, *names, days=days)
    with pytest.raises(
        RemoteError, match=f"the certificate of https://localhost:.* cannot be verified: {reason}"
    ) as err:
        Client(f"https://localhost:{server.server_port}", authority=file if trusted else None, key=KEY).predict(b"x")
    assert err.match("Name a file with the certificate of its authority, or with its own: `--ca-file FILE`.$")
    assert server.headers == []  # the key was not sent


def test_the_wrong_scheme_is_named(server: Server, authority: Authority, tmp_path: Path):
    with pytest.raises(RemoteError, match=r"speaks plain HTTP\. Its address begins with http://\.$"):
        Client(f"https://localhost:{server.server_port}").predict(b"x")
    speak_tls(server, authority, tmp_path, "localhost")
    with pytest.raises(RemoteError, match=r"does not answer: .* If it speaks TLS, its address begins with https://\.$"):
        Client(f"http://localhost:{server.server_port}").predict(b"x")


def test_an_authority_without_certificates_is_refused(tmp_path: Path):
    (tmp_path / "ca.crt").write_text("none")
    with pytest.raises(InvalidConfigError, match=r"/ca.crt must hold certificates to trust, as PEM: it has none$"):
        Client("https://localhost", authority=tmp_path / "ca.crt")
    with pytest.raises(InvalidConfigError, match=r"/none must hold .* as PEM: No such file or directory$"):
        Client("https://localhost", authority=tmp_path / "none")
    with pytest.raises(InvalidConfigError, match="url must begin with https:// where a certificate is to be verified"):
        Client("http://localhost", authority=tmp_path / "ca.crt")


# the command


def run(*arguments: object, **environ: str) -> BaseException | None:
    photo = Path(__file__)  # the server does not look at it
    return CliRunner().invoke(predict, [*map(str, arguments), str(photo)], env=environ).exception


def test_the_command_takes_the_key_from_a_file_and_from_the_environment(server: Server, tmp_path: Path):
    address = ("--url", f"http://127.0.0.1:{server.server_port}")
    (tmp_path / "key").write_text(f"{KEY}\n")
    run(*address, "--api-key-file", tmp_path / "key", COACHWORKS_API_KEY="x" * 40)
    run(*address, COACHWORKS_API_KEY=KEY)
    run(*address)
    assert server.headers == [f"Bearer {KEY}", f"Bearer {KEY}", None]


@pytest.mark.parametrize("held", ["", "two words", "two\nlines", "schlüssel"])
def test_what_is_no_key_is_refused_without_being_shown(server: Server, tmp_path: Path, held: str):
    (tmp_path / "key").write_text(held)
    address = ("--url", f"http://127.0.0.1:{server.server_port}")
    for error in (
        run(*address, "--api-key-file", tmp_path / "key"),
        run(*address, COACHWORKS_API_KEY=held) if held else None,
    ):
        if error is not None:
            assert isinstance(error, InvalidConfigError)
            assert str(error).endswith("must hold one key: printable ASCII without spaces; it does not")
            assert not held or held not in str(error)
    assert server.headers == []


def test_a_file_that_is_missing_and_options_without_a_server_are_refused(tmp_path: Path):
    error = run("--url", "http://127.0.0.1:9", "--api-key-file", tmp_path / "none")
    assert str(error) == f"--api-key-file {tmp_path / 'none'} cannot be read: No such file or directory"
    error = run("--ca-file", tmp_path / "ca.crt")
    assert str(error) == "--api-key-file and --ca-file belong to a server. Name it with `--url`."
