"""Requests that are nearly right: mutated photos and forms, and raw requests from a grammar of HTTP."""

import io
import random
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

BOUNDARY = b"----nearly"
_KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
_MODES = ("RGB", "L", "P", "1")


def photos() -> dict[str, bytes]:
    """Return a good photo of each format and of some modes, by content type and number."""
    files: dict[str, bytes] = {}
    gradient = Image.linear_gradient("L").resize((64, 48))
    for kind in _KINDS:
        for mode in _MODES:
            file = io.BytesIO()
            image = gradient.convert("RGB").convert(mode)
            image.save(file, kind) if kind != "JPEG" or mode in {"RGB", "L"} else gradient.save(file, kind)
            files[f"image/{kind.lower()};{mode}"] = file.getvalue()
    return files


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with a few random changes: bits, bytes, blocks, length."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(result) + 1)
        end = min(len(result), at + chance.choice((1, 2, 4, 64, 1024)))
        match chance.randrange(8):
            case 0 if at < len(result):
                result[at] ^= 1 << chance.randrange(8)
            case 1:
                result[at:end] = bytes(end - at)
            case 2:
                result[at:end] = b"\xff" * (end - at)
            case 3:
                result[at:end] = chance.randbytes(end - at)
            case 4:
                del result[at:end]
            case 5:
                result[at:at] = result[at:end] * chance.choice((1, 2, 50))
            case 6:
                del result[at:]
            case _ if at + 4 <= len(result):  # a length or a size
                result[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
    return bytes(result)


def form(photo: bytes, name: str = "photo") -> bytes:
    """Return a form with a file."""
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head % (BOUNDARY, name.encode()) + photo + b"\r\n--%s--\r\n" % BOUNDARY


def bodies(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield content types with mutated bodies: photos, forms, and forms around mutated photos."""
    chance = random.Random(seed)  # noqa: S311
    good = list(photos().items())
    multipart = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    for _ in range(count):
        kind, photo = chance.choice(good)
        match chance.randrange(4):
            case 0:
                yield multipart, mutated(form(photo), chance)
            case 1:
                yield multipart, form(mutated(photo, chance))
            case _:
                yield kind.partition(";")[0], mutated(photo, chance)


class _Part(NamedTuple):
    usual: tuple[bytes, ...]
    odd: tuple[bytes, ...]


_METHODS = _Part(
    (b"GET", b"POST", b"POST", b"HEAD"),
    (b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"get", b"", b"B\0D"),
)
_TARGETS = _Part(
    (b"/v1/predict", b"/v1/predict?skills=colour&probabilities=true", b"/v1/skills", b"/livez", b"/openapi.json"),
    (
        b"/v1/predict?skills=" + b"%00," * 50,
        b"/readyz",
        b"/metrics",
        b"*",
        b"http://x/livez",
        b"//livez",
        b"/../../etc/passwd",
        b"/%",
        b"/%zz%ff",
        b"/\xc3\xa9",
        b"",
        b"/" + b"a" * 9000,
    ),
)
_VERSIONS = _Part(
    (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"), (b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"ICY", b"")
)
_HEADERS = _Part(
    (
        b"Content-Type: image/jpeg",
        b"Content-Type: multipart/form-data; boundary=" + BOUNDARY,
        b"Content-Length: 0",
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        b"Expect: 100-continue",
        b"X-Request-Id: 7",
    ),
    (
        b"Host: x",
        b"Host:",
        b"Content-Type: multipart/form-data",
        b"Content-Length: 5, 5",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: -5",
        b"Content-Length: 0x5",
        b"Transfer-Encoding: CHUNKED",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding:\tchunked",
        b"Expect: nothing",
        b"X-Request-Id: \xff\xfe",
        b"X-A: a\0b",
        b"X-A : b",
        b" folded",
        b"Cookie: " + b"c=d; " * 2000,
        b"X-Forwarded-For: " + b"1.2.3.4, " * 100,
        b"no colon",
        b"",
    ),
)
_BODIES = (
    b"",
    b"abcde",
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"5;a=b\r\nabcde\r\n0\r\nX-A: b\r\n\r\n",
    b"ffffffffffffffff\r\nabc",
    b"-1\r\n\r\n",
    b"zz\r\n\r\n",
    b"5\nabcde\n0\n\n",
    b"0\r\n\r\nGET /v1/skills HTTP/1.1\r\nHost: x\r\n\r\n",
    form(b"\xff\xd8\xff"),
)
_ENDS = _Part((b"\r\n",), (b"\n", b"\r"))


def raw_requests(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield requests of the grammar of HTTP/1.1 and its neighbourhood, some with random changes."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(count):
        line = b" ".join(_mostly_usual(part, chance) for part in (_METHODS, _TARGETS, _VERSIONS))
        headers = [b"Host: x", *(_mostly_usual(_HEADERS, chance) for _ in range(chance.randrange(5)))]
        end = _mostly_usual(_ENDS, chance)
        request = end.join([line, *headers, b"", chance.choice(_BODIES)])
        if chance.random() < 0.3:
            request *= 2
        yield mutated(request, chance) if chance.random() < 0.25 else request


def _mostly_usual(part: _Part, chance: random.Random) -> bytes:
    return chance.choice(part.usual if chance.random() < 0.8 else part.odd)
