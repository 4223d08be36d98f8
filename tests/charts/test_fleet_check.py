"""Pod of `helm test`: it requests the skills of every Service of a fleet."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import rendered
from fleet_values import dedicated, fleet, skill
from rendered import Objects


class _Skills(BaseHTTPRequestHandler):
    """Answers as the service does; below /broken as something else does."""

    def do_GET(self) -> None:
        card = {"question": None, "labels": ["no", "yes"], "threshold": None, "kind": "linear", "model_version": "3"}
        answer: Any = {"fleet": "showroom", "skills": {"body": card, "side": card}} if self.path == "/v1/skills" else []
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Skills) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def check(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def script(render: Callable[..., Objects]) -> str:
    """The script as it stands in the pod."""
    check = rendered.container(render("fleet", fleet()), "acme-check/check")
    assert check["command"] == ["python", "-c"]
    return str(check["args"][0])


def test_it_asks_every_service_for_its_skills(render: Callable[..., Objects]) -> None:
    skills = {"body": skill("body"), "side": dedicated("side", port=9722, serviceName="ai-side"), "tyre": skill("tyre")}
    check = rendered.container(render("fleet", fleet(skills=skills)), "acme-check/check")
    assert check["args"][1:] == [
        "60",
        "http://body.mlops.svc:8080=body",
        "http://ai-side.mlops.svc:9722=side",
        "http://tyre.mlops.svc:8080=tyre",
        "http://acme.mlops.svc:8080=body,tyre",
    ]


def test_all_is_well_where_every_service_answers_its_skills(script: str, address: str) -> None:
    done = check(script, "0", f"{address}=body", f"{address}=side,body")
    assert (done.returncode, done.stdout) == (0, f"{address} serves body 3, side 3\n" * 2)


def test_a_skill_that_is_missing_fails_it(script: str, address: str) -> None:
    done = check(script, "0", f"{address}=body,tyre", f"{address}=body")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"{address} serves body 3, side 3, not tyre"


def test_a_service_that_answers_nothing_or_nonsense_fails_it(script: str, address: str) -> None:
    done = check(script, "0", "http://127.0.0.1:9=body", f"{address}/broken=body")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("http://127.0.0.1:9 does not answer: URLError: ")
    assert lines[1] == "http://127.0.0.1:9 serves nothing, not body"
    assert lines[2].startswith(f"{address}/broken does not answer: TypeError: ")
