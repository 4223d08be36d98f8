"""Objects under a prefix of a bucket: every call to the server that a store makes, tried patiently."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from coachworks.digests import digest_bytes, digest_file
from coachworks.errors import TransientError
from coachworks.s3.errors import error_code
from coachworks.s3.parts import PART_BYTES, upload_in_parts
from coachworks.s3.retry import patient

T = TypeVar("T")

SHA256 = "sha256"  # the entry of an object's metadata that says what its content is
_SINGLE_BYTES = 4 * PART_BYTES  # larger files go in parts
_TRANSFERS = 3  # of a file that arrives damaged
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "412"})


@dataclass(frozen=True)
class Standing:
    """What stands under a key.

    Attributes:
        etag: Entity tag: other bytes, another tag.
        size: Bytes.
        sha256: Digest of the content, where the writer said.
        written_at: When it was written.
    """

    etag: str
    size: int
    sha256: str | None
    written_at: datetime


class Objects:
    """The objects under `prefix` in `bucket`.

    Args:
        client: Gives the client, to use in this process and thread.
        bucket: The bucket.
        prefix: What all keys begin with, without slashes at its ends; may be empty.
    """

    def __init__(self, client: Callable[[], Any], bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, f"{prefix}/" if prefix else ""

    def get(self, key: str, start: int = 0, length: int | None = None, etag: str | None = None) -> bytes | None:
        """The bytes of an object, or `length` of them from `start` on; None where there is none.

        With `etag`: those of that version, or none.
        """
        if length is not None and length <= 0:
            return b""
        wanted: dict[str, Any] = {"IfMatch": etag} if etag else {}
        if start or length is not None:
            wanted["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"

        def ask() -> bytes | None:
            answer = self._call("get_object", key, **wanted)
            with closing(answer["Body"]) as body:
                data: bytes = body.read()
            said = answer["Metadata"].get(SHA256)
            if said and "Range" not in wanted and digest_bytes(data) != said:
                raise ConnectionError(f"{self.place(key)} arrived damaged")
            return data

        return self._patient(key, _unless(_MISSING | _TAKEN, ask))

    def head(self, key: str) -> Standing | None:
        """What stands under a key, or None."""

        def ask() -> Standing | None:
            answer = self._call("head_object", key)
            return Standing(
                answer["ETag"], answer["ContentLength"], answer["Metadata"].get(SHA256), answer["LastModified"]
            )

        return self._patient(key, _unless(_MISSING, ask))

    def put(self, key: str, data: bytes, *, fresh: bool = False) -> bool:
        """Publish `data`; with `fresh`, only where nothing stands.

        Returns:
            Whether what stands there now is `data`: a reply may have been lost, and the next attempt refused.
        """
        digest = digest_bytes(data)
        wanted = {"IfNoneMatch": "*"} if fresh else {}
        check = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

        def ask() -> bool:
            self._call("put_object", key, Body=data, Metadata={SHA256: digest}, ContentMD5=check, **wanted)
            return True

        return bool(self._patient(key, _unless(_TAKEN, ask))) or self._is(key, digest)

    def put_file(self, key: str, source: Path, digest: str | None = None) -> None:
        """Publish a copy of a file, replacing what was there; a large one in parts."""
        digest = digest or digest_file(source)
        size = source.stat().st_size
        if size > _SINGLE_BYTES:
            upload_in_parts(
                lambda ask: self._patient(key, ask),
                self._client(),
                {"Bucket": self._bucket, "Key": self._prefix + key},
                source,
                metadata={SHA256: digest},
                is_there=lambda: self._is(key, digest),
            )
            return

        def ask() -> None:
            with source.open("rb") as file:
                check = base64.b64encode(hashlib.file_digest(file, _md5).digest()).decode()
                file.seek(0)
                self._call("put_object", key, Body=file, Metadata={SHA256: digest}, ContentMD5=check)

        self._patient(key, ask)

    def download(
        self, key: str, target: Path, size: int, *, etag: str | None = None, sha256: str | None = None
    ) -> bool:
        """Write an object's bytes to the new file `target`, block by block; False where it is gone or replaced.

        Raises:
            TransientError: it kept arriving damaged.
        """
        for _ in range(_TRANSFERS):
            digest = hashlib.sha256()
            with target.open("wb") as file:
                for start in range(0, size, PART_BYTES):
                    data = self.get(key, start, min(PART_BYTES, size - start), etag)
                    if data is None:
                        return False
                    digest.update(data)
                    file.write(data)
            if sha256 is None or digest.hexdigest() == sha256:
                return True
        raise TransientError(
            f"{self.place(key)} arrived damaged {_TRANSFERS} times: its SHA-256 must be {sha256}. Run again; if "
            "it stays so, delete the object, and it is made again."
        )

    def list(self, prefix: str) -> Iterator[str]:
        """Keys of all objects whose key begins with `prefix`, in the server's order."""
        further: dict[str, str] = {}
        while True:
            request = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, **further}
            page = self._patient(prefix, lambda request=request: self._client().list_objects_v2(**request))  # type: ignore[misc]
            for entry in page.get("Contents", ()):
                yield entry["Key"][len(self._prefix) :]
            if not page.get("IsTruncated"):
                return
            further = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        self._patient(key, lambda: self._call("delete_object", key))

    def place(self, key: str) -> str:
        """The address of an object."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _is(self, key: str, digest: str) -> bool:
        standing = self.head(key)
        if standing is None or standing.sha256:
            return standing is not None and standing.sha256 == digest
        data = self.get(key)  # written by something else
        return data is not None and digest_bytes(data) == digest

    def _call(self, operation: str, key: str, **wanted: Any) -> Any:
        return getattr(self._client(), operation)(Bucket=self._bucket, Key=self._prefix + key, **wanted)

    def _patient(self, key: str, ask: Callable[[], T]) -> T:
        return patient(ask, place=self.place(key))


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _unless(codes: frozenset[str], ask: Callable[[], T]) -> Callable[[], T | None]:
    """`ask`, giving None where the server answers with one of `codes`."""

    def asked() -> T | None:
        from botocore.exceptions import ClientError

        try:
            return ask()
        except ClientError as err:
            if error_code(err) not in codes:
                raise
            return None

    return asked
