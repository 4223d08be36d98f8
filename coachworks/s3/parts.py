"""Large files to a bucket, in parts: each tried patiently by itself, few in memory at a time."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from coachworks.errors import CoachworksError
from coachworks.s3.errors import error_code

PART_BYTES = 16 << 20
_AT_ONCE = 4
_MOST_PARTS = 10_000


def upload_in_parts(
    patiently: Callable[[Callable[[], Any]], Any],
    client: Any,
    target: Mapping[str, str],
    source: Path,
    *,
    metadata: Mapping[str, str],
    is_there: Callable[[], bool],
) -> None:
    """Upload `source`; what was uploaded is removed where that does not succeed.

    Args:
        patiently: Repeats a call to the server as long as that makes sense.
        client: The client.
        target: `Bucket` and `Key`.
        source: The file.
        metadata: What the object says of itself.
        is_there: Whether the whole object stands there: asked where the server no longer knows of the upload.
    """
    size = source.stat().st_size
    length = max(PART_BYTES, -(-size // _MOST_PARTS))
    upload = patiently(lambda: client.create_multipart_upload(**target, Metadata=dict(metadata))["UploadId"])
    chosen = {**target, "UploadId": upload}

    def send(number: int) -> dict[str, Any]:
        with source.open("rb") as file:
            file.seek((number - 1) * length)
            data = file.read(length)
        check = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = patiently(lambda: client.upload_part(**chosen, PartNumber=number, Body=data, ContentMD5=check))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    try:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as pool:
            parts = list(pool.map(send, range(1, -(-size // length) + 1)))
        _complete(patiently, client, chosen, parts, is_there)
    except BaseException:
        with suppress(CoachworksError):
            patiently(lambda: client.abort_multipart_upload(**chosen))
        raise


def _complete(
    patiently: Callable[[Callable[[], Any]], Any],
    client: Any,
    chosen: Mapping[str, str],
    parts: list[dict[str, Any]],
    is_there: Callable[[], bool],
) -> None:
    from botocore.exceptions import ClientError

    def complete() -> None:
        try:
            client.complete_multipart_upload(**chosen, MultipartUpload={"Parts": parts})
        except ClientError as err:  # the reply to an attempt that succeeded may have been lost
            if error_code(err) != "NoSuchUpload" or not is_there():
                raise

    patiently(complete)
