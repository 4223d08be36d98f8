"""HTTP clients of many kinds, which send a body and return the status and the document of the answer."""

import http.client
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import requests

Send = Callable[[str, str, bytes, bool], tuple[int, Any]]  # URL, content type, body, whether in chunks

_TIMEOUT_S = 60


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


def by_urllib(url: str, kind: str, body: bytes, chunked: bool) -> tuple[int, Any]:
    data: Any = _pieces(body) if chunked else body
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="POST")
    try:
        answer: Any = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as err:
        answer = err
    with answer:
        return answer.code, json.loads(answer.read())


def by_http_client(url: str, kind: str, body: bytes, chunked: bool) -> tuple[int, Any]:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "POST", f"/{path}", _pieces(body) if chunked else body, {"Content-Type": kind}, encode_chunked=chunked
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def by_httpx(url: str, kind: str, body: bytes, chunked: bool) -> tuple[int, Any]:
    content = _pieces(body) if chunked else body
    answer = httpx.post(url, content=content, headers={"Content-Type": kind}, timeout=_TIMEOUT_S)
    return answer.status_code, answer.json()


def by_requests(url: str, kind: str, body: bytes, chunked: bool) -> tuple[int, Any]:
    data = _pieces(body) if chunked else body
    answer = requests.post(url, data=data, headers={"Content-Type": kind}, timeout=_TIMEOUT_S)
    return answer.status_code, answer.json()


def by_curl(url: str, kind: str, body: bytes, chunked: bool, *more: str) -> tuple[int, Any]:
    options = ("-H", "Transfer-Encoding: chunked", *more) if chunked else more
    command = ["curl", "-s", "-S", "-w", "\n%{http_code}", "--data-binary", "@-", "-H", f"Content-Type: {kind}"]
    done = subprocess.run([*command, *options, url], input=body, capture_output=True, check=True, timeout=_TIMEOUT_S)
    text, _, status = done.stdout.rpartition(b"\n")
    return int(status), json.loads(text)


def by_curl_without_waiting(url: str, kind: str, body: bytes, chunked: bool) -> tuple[int, Any]:
    return by_curl(url, kind, body, chunked, "-H", "Expect:")


CLIENTS = [by_urllib, by_http_client, by_httpx, by_requests, by_curl, by_curl_without_waiting]
