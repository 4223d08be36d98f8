"""A Kubernetes API server in a few lines: objects that a test puts there, leases, port-forwards to this machine."""

import base64
import hashlib
import json
import socket
import struct
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Objects(dict[str, Any]):
    """The server's answers by path: an object, the text of a log, or the status of a refusal.

    Attributes:
        asked: What it was asked: `GET /path?query`.
        ports: Port of a pod -> port of this machine, for port-forwards.
        down: While true, connections are closed without an answer.
        delay_s: How long every answer takes.
        address: Its address.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.ports: dict[int, int] = {}
        self.down = False
        self.delay_s = 0.0
        self.address = ""
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for the receipt of its headers
    objects: Objects

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if self._absent():
            return
        if self.headers.get("Upgrade") == "websocket" and not isinstance(self.objects.get(path), int | tuple):
            self._forward(int(parse_qs(query)["ports"][0]))
        else:
            self._answer(self.objects.get(path, 404))

    def do_POST(self) -> None:
        body = self._body()
        if self._absent():
            return
        with self.objects.lock:
            canned = self.objects.get(self.path)
            if canned is not None:
                self._answer(canned)
                return
            path = f"{self.path}/{body['metadata']['name']}"
            self._answer(409 if path in self.objects else self._store(path, body, uid=uuid.uuid4().hex))

    def do_PUT(self) -> None:
        body = self._body()
        if self._absent():
            return
        path, _, query = self.path.partition("?")
        with self.objects.lock:
            refused = self._unlike(path, body["metadata"])
            dry = "dryRun=All" in query
            self._answer(refused or (body if dry else self._store(path, body, uid=body["metadata"]["uid"])))

    def do_PATCH(self) -> None:
        body = self._body()
        if self._absent():
            return
        with self.objects.lock:
            current = self.objects.get(self.path, 404)
            if not isinstance(current, int | tuple):
                labels = current["metadata"].get("labels", {}) | body["metadata"]["labels"]
                current = self._store(
                    self.path, {**current, "metadata": {**current["metadata"], "labels": labels}}, uid=""
                )
            self._answer(current)

    def do_DELETE(self) -> None:
        body = self._body()
        if self._absent():
            return
        with self.objects.lock:
            refused = self._unlike(self.path, (body or {}).get("preconditions") or {})
            if not refused:
                del self.objects[self.path]
            self._answer(refused or {"kind": "Status"})

    def log_message(self, *args: Any) -> None:
        """Keep the log empty."""

    def _absent(self) -> bool:
        self.objects.asked.append(f"{self.command} {self.path}")
        if self.objects.delay_s:
            time.sleep(self.objects.delay_s)
        if self.objects.down:
            self.close_connection = True
        return self.objects.down

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")

    def _unlike(self, path: str, preconditions: dict[str, Any]) -> Any:
        """Return the refusal of a change of an object that is missing or unlike the preconditions, else 0."""
        current = self.objects.get(path, 404)
        if isinstance(current, int | tuple):
            return current
        meta = current["metadata"]
        same = all(preconditions.get(key, meta[key]) == meta[key] for key in ("uid", "resourceVersion"))
        return 0 if same else 409

    def _store(self, path: str, body: Any, uid: str) -> Any:
        self.objects[path] = {**body, "metadata": {**body["metadata"], "uid": uid, "resourceVersion": uuid.uuid4().hex}}
        return self.objects[path]

    def _answer(self, answer: Any) -> None:
        if isinstance(answer, tuple):
            status, message = answer
            body = json.dumps({"kind": "Status", "message": message})
        elif isinstance(answer, int):
            status, body = answer, "{}"
        else:
            status, body = 200, answer if isinstance(answer, str) else json.dumps(answer)
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _forward(self, port: int) -> None:
        """Speak `v4.channel.k8s.io` for one connection to a port."""
        key = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + _MAGIC).encode()).digest()  # noqa: S324 — RFC 6455
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(key).decode())
        self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"])
        self.end_headers()
        self.close_connection = True
        for channel in (b"\0", b"\1"):
            self._frame(channel + struct.pack("<H", port))
        try:
            pod = socket.create_connection(("127.0.0.1", self.objects.ports[port]), 5)
        except (OSError, KeyError):
            self._frame(b"\1error forwarding port 1 to pod 2, uid : dial tcp4 127.0.0.1:1: connect: connection refused")
            return
        with pod:
            threading.Thread(target=self._from_pod, args=(pod,), daemon=True).start()
            with suppress(OSError, struct.error):
                while (data := self._read_frame()) is not None:
                    pod.sendall(data)

    def _from_pod(self, pod: socket.socket) -> None:
        with suppress(OSError):
            while data := pod.recv(65536):
                self._frame(b"\0" + data)
            self.connection.sendall(b"\x88\x00")

    def _frame(self, data: bytes) -> None:
        self.connection.sendall(struct.pack("!BBQ", 0x82, 127, len(data)) + data)

    def _read_frame(self) -> bytes | None:
        kind, length = struct.unpack("!BB", self.rfile.read(2))
        length &= 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.rfile.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.rfile.read(8))
        mask, data = self.rfile.read(4), self.rfile.read(length)
        plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        return None if kind & 0x0F == 8 else plain[1:]


@contextmanager
def kubernetes_server() -> Iterator[Objects]:
    """Run a server; yield its objects."""
    objects = Objects()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"objects": objects}))
    server.daemon_threads = True
    objects.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield objects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def discovery(kinds: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return the answers from which clients such as helm learn the API's kinds: `{"/api/v1": {"pods": "Pod"}}`."""
    answers: dict[str, Any] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    }
    for path, known in kinds.items():
        version = path.split("/", 2)[2]
        if path.startswith("/apis/"):
            group = {"groupVersion": version, "version": "v1"}
            answers["/apis"]["groups"].append({"name": version.removesuffix("/v1"), "versions": [group]})
        answers[path] = {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [
                {"name": plural, "kind": kind, "namespaced": True, "verbs": ["get", "list"]}
                for plural, kind in known.items()
            ],
        }
    return answers


def write_kubeconfig(path: Path, server: str, namespace: str = "") -> None:
    """Write a kubeconfig with the one context `test`."""
    context = {"cluster": "test", "user": "test"} | ({"namespace": namespace} if namespace else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": context}],
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(config))
