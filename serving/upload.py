"""Reading the photo from a request, within limits of size and time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from serving.errors import Code, RefusalError
from serving.waiting_room import WaitingRoom

FIELD = "photo"
FORM = "multipart/form-data"
_RAW = ("image/", "application/octet-stream")
_MAX_PARTS = 20  # of a form
_CLOSE = {"Connection": "close"}  # the rest of the body is not read


class UploadBudget:
    """Limit on the total size of all concurrent uploads, so that many large ones cannot exhaust the memory.

    Args:
        total: The limit, in bytes.
    """

    def __init__(self, total: int) -> None:
        self._total, self._used = total, 0

    def reserve(self, amount: int) -> None:
        """Reserve `amount` bytes.

        Raises:
            RefusalError: fewer bytes are free.
        """
        if self._used + amount > self._total:
            raise RefusalError(Code.OVERLOADED, "the service is receiving as many photos as it can hold")
        self._used += amount

    def free(self, amount: int) -> None:
        """Free `amount` reserved bytes."""
        self._used -= amount


@asynccontextmanager
async def uploaded_photo(
    request: Request, *, max_bytes: int, timeout_s: float, budget: UploadBudget, waiting_room: WaitingRoom
) -> AsyncIterator[bytes]:
    """Read the photo in the request: its raw body, or the file in the field `photo` of a form.

    Its bytes are reserved in the budget inside the block.

    Raises:
        RefusalError: the request holds no photo or several, the upload is too large or too slow, or too many photos
            are waiting already.
    """
    kind = _admitted_kind(request.headers, max_bytes)
    reserved = 0
    try:
        body = bytearray()
        with waiting_room.upload():
            async with asyncio.timeout(timeout_s):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > max_bytes:
                        raise _too_large(max_bytes)
                    budget.reserve(len(chunk))
                    reserved += len(chunk)
                    body += chunk
            photo = await _file_in_form(request.headers, bytes(body)) if kind == FORM else bytes(body)
        del body
        if not photo:
            raise RefusalError(Code.EMPTY, "the photo is empty")
        yield photo
    except TimeoutError as err:
        raise RefusalError(
            Code.UPLOAD_TIMEOUT, f"the upload must be complete within {timeout_s:g} s", headers=_CLOSE
        ) from err
    except ClientDisconnect as err:
        raise RefusalError(Code.INCOMPLETE_BODY, "the connection was closed before the end of the body") from err
    finally:
        budget.free(reserved)


def _admitted_kind(headers: Headers, max_bytes: int) -> str:
    """Return the content type; refuse by the headers before any of the body is read."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    declared = headers.get("content-length", "")
    if declared == "0" or (not declared and "transfer-encoding" not in headers):
        raise RefusalError(Code.EMPTY, "the body is empty")
    if declared.isdecimal() and (len(declared) > 15 or int(declared) > max_bytes):
        raise _too_large(max_bytes, declared[:15])
    if kind != FORM and not kind.startswith(_RAW):
        raise RefusalError(
            Code.UNSUPPORTED_CONTENT_TYPE,
            f"content-type must be image/*, application/octet-stream or multipart/form-data; got {kind[:80]!r}",
            headers=_CLOSE,
        )
    return kind


def _too_large(max_bytes: int, got: str | None = None) -> RefusalError:
    value = f"; got {got}" if got is not None else ""
    return RefusalError(Code.TOO_LARGE, f"the body must have at most {max_bytes} bytes{value}", headers=_CLOSE)


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 40  # the body is bounded already; spooling to disk would only add a copy


async def _file_in_form(headers: Headers, body: bytes) -> bytes:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await _InMemory(headers, stream(), max_files=_MAX_PARTS, max_fields=_MAX_PARTS).parse()
    except MultiPartException as err:
        raise RefusalError(Code.MALFORMED_MULTIPART, f"the multipart body cannot be read: {err.message}") from err
    try:
        values = form.getlist(FIELD)
        files = [value for value in values if isinstance(value, UploadFile)]
        if len(files) > 1:
            raise RefusalError(Code.SEVERAL_PHOTOS, f"the field {FIELD!r} must hold one file; got {len(files)}")
        if not files:
            got = "text" if values else f"the fields {sorted(set(form))[:5]}" if form else "no field"
            raise RefusalError(Code.MISSING_PHOTO, f"the form must have a file in the field {FIELD!r}; got {got}")
        return await files[0].read()
    finally:
        await form.close()
