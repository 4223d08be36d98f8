"""Objects under a prefix of a bucket: read, write, list and delete, each request with retries."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from coachworks.digests import digest_bytes, digest_file
from coachworks.errors import DamagedError
from coachworks.s3.client import open_s3
from coachworks.s3.errors import ObjectChangedError, ObjectMissingError, error_code
from coachworks.s3.retry import RetryPolicy, with_retries
from coachworks.s3.upload import upload_large_file

T = TypeVar("T")

PAGE_KEYS = 1000  # the most that S3 lists in one response
BLOCK_BYTES = 16 << 20  # large objects are downloaded in blocks, each with its own retries
LARGE_BYTES = 64 << 20  # larger files are uploaded in parts
_SHA256 = "sha256"  # metadata entry with the digest of the content
_DOWNLOADS = 3  # attempts at an object that arrives damaged


@dataclass(frozen=True)
class ObjectInfo:
    """Metadata of a stored object.

    Attributes:
        size: Size in bytes.
        written_at: Time of the last write.
        etag: Entity tag, which changes with the content; empty where the store has none.
        sha256: Digest of the content, if the writer recorded it.
    """

    size: int
    written_at: datetime
    etag: str = ""
    sha256: str | None = None


class Objects:
    """The objects under a prefix of a bucket. Keys are relative to the prefix.

    Args:
        bucket: Name of the bucket.
        prefix: Prefix of all keys, without slashes at its ends; may be empty.
        policy: Limits of retries; the default policy if None.
        verify: Compare content with the digest in its metadata. False for objects of other people, whose metadata may
            mean something else.
    """

    def __init__(
        self, bucket: str, prefix: str = "", *, policy: RetryPolicy | None = None, verify: bool = True
    ) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._policy, self._verify = policy, verify

    def read(self, key: str, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        """Return the content of an object, or `length` bytes of it from offset `start`.

        Args:
            key: Key of the object.
            start: Offset in bytes.
            length: Number of bytes; None for all.
            etag: Entity tag that the object must have.

        Raises:
            ObjectMissingError: the object does not exist.
            ObjectChangedError: it has another entity tag.
            DamagedError: three times its content was not that of the digest in its metadata.
        """
        if length is not None and length <= 0:
            return b""
        from botocore.exceptions import ClientError

        damaged = 0
        options: dict[str, Any] = {"IfMatch": etag} if etag else {}
        if start or length is not None:
            options["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"

        def request() -> bytes:
            nonlocal damaged
            try:
                answer = self._call("get_object", key, **options)
            except ClientError as err:
                if error_code(err) == "InvalidRange":  # the object ends before `start`
                    return b""
                raise
            with closing(answer["Body"]) as body:
                data: bytes = body.read(length)  # no more than that, even if the server ignores the range
            if length is not None and len(data) < min(length, answer["ContentLength"]):
                raise ConnectionError(f"{self.address(key)} broke off after {len(data)} bytes")
            expected = _digest_in(answer) if self._verify and "Range" not in options else None
            if expected and (actual := digest_bytes(data)) != expected:
                damaged += 1
                if damaged == _DOWNLOADS:
                    raise self._damaged(key, expected, actual)
                raise ConnectionError(f"{self.address(key)} arrived damaged")
            return data

        return self._retry(key, request)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        """Return the same as `read`, or None if the object does not exist."""
        try:
            return self.read(key, start, length)
        except ObjectMissingError:
            return None

    def head(self, key: str) -> ObjectInfo | None:
        """Return the metadata of an object, or None if it does not exist."""

        def request() -> ObjectInfo:
            answer = self._call("head_object", key)
            return ObjectInfo(answer["ContentLength"], answer["LastModified"], answer["ETag"], _digest_in(answer))

        try:
            return self._retry(key, request)
        except ObjectMissingError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing an existing one."""
        self._put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only if it does not exist, by a conditional request.

        Returns:
            Whether the object's content is now `data`. After a lost reply the repeated request is refused, although
            the first one succeeded; therefore a refusal is followed by a comparison of the content.
        """
        try:
            self._put(key, data, IfNoneMatch="*")
        except ObjectChangedError:
            return self._has_content(key, digest_bytes(data))
        return True

    def _put(self, key: str, data: bytes, **condition: str) -> None:
        metadata, checksum = {_SHA256: digest_bytes(data)}, _content_md5(hashlib.md5(data, usedforsecurity=False))
        self._retry(
            key,
            lambda: self._call("put_object", key, Body=data, Metadata=metadata, ContentMD5=checksum, **condition),
        )

    def put_file(self, key: str, source: Path, digest: str | None = None) -> None:
        """Write a copy of a file, replacing an existing object; a large file is uploaded in parts.

        Args:
            key: Key of the object.
            source: The file.
            digest: Its SHA-256, if it is known.
        """
        digest = digest or digest_file(source)
        if source.stat().st_size > LARGE_BYTES:
            upload_large_file(
                source,
                self._bucket,
                self._prefix + key,
                metadata={_SHA256: digest},
                is_complete=lambda: self._has_content(key, digest),
            )
            return

        def request() -> None:
            with source.open("rb") as file:
                checksum = _content_md5(hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)))
                file.seek(0)
                self._call("put_object", key, Body=file, Metadata={_SHA256: digest}, ContentMD5=checksum)

        self._retry(key, request)

    def blocks(self, key: str, size: int, *, etag: str | None = None) -> Iterator[bytes]:
        """Yield the content of an object of `size` bytes block by block; arguments and errors as `read`."""
        for start in range(0, size, BLOCK_BYTES):
            yield self.read(key, start, min(BLOCK_BYTES, size - start), etag=etag)

    def download(
        self, key: str, target: Path, size: int, *, etag: str | None = None, sha256: str | None = None
    ) -> bool:
        """Write the content of an object to the file `target`.

        Args:
            key: Key of the object.
            target: File to create.
            size: Size of the object in bytes.
            etag: Entity tag that the object must have.
            sha256: Digest that its content must have, or the beginning of it.

        Returns:
            False if the object no longer exists or has another entity tag.

        Raises:
            DamagedError: three times its content was not that of the digest.
        """
        for _ in range(_DOWNLOADS):
            digest = hashlib.sha256()
            with target.open("wb") as file:
                try:
                    for block in self.blocks(key, size, etag=etag):
                        digest.update(block)
                        file.write(block)
                except (ObjectMissingError, ObjectChangedError):
                    return False
            if sha256 is None or digest.hexdigest().startswith(sha256):
                return True
        raise self._damaged(key, sha256 or "", digest.hexdigest())

    def list(self, prefix: str = "", *, limit: int | None = None) -> Iterator[tuple[str, ObjectInfo]]:
        """Yield key and metadata of all objects whose key begins with `prefix`, in the server's order.

        Pages are requested here rather than by boto3's paginator, which ends for good when one page breaks off.

        Args:
            prefix: Beginning of the keys.
            limit: Yield at most one page of this many objects.
        """
        request = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, "MaxKeys": limit or PAGE_KEYS}
        while True:
            page = self._retry(prefix, lambda: open_s3().list_objects_v2(**request))
            for entry in page.get("Contents", ()):
                info = ObjectInfo(entry["Size"], entry["LastModified"], entry["ETag"])
                yield entry["Key"][len(self._prefix) :], info
            if limit or not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        """Delete an object if it exists."""
        self._retry(key, lambda: self._call("delete_object", key))

    def address(self, key: str) -> str:
        """Return `s3://bucket/key` of an object."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _damaged(self, key: str, expected: str, actual: str) -> DamagedError:
        problem = f"its SHA-256 must begin with {expected[:16]}; {_DOWNLOADS} times it began with {actual[:16]}"
        return DamagedError(key, self.address("").rstrip("/"), problem)

    def _has_content(self, key: str, digest: str) -> bool:
        info = self.head(key)
        if info is None or info.sha256:
            return info is not None and info.sha256 == digest
        data = self.get(key)  # written by another program, without a digest in its metadata
        return data is not None and digest_bytes(data) == digest

    def _call(self, operation: str, key: str, **options: Any) -> Any:
        return getattr(open_s3(), operation)(Bucket=self._bucket, Key=self._prefix + key, **options)

    def _retry(self, key: str, request: Callable[[], T]) -> T:
        return with_retries(request, address=self.address(key), policy=self._policy)


def split_address(address: str) -> tuple[str, str]:
    """Return bucket and key of an address, without a slash at the end.

    >>> split_address("s3://photos/cars/2024/"), split_address("s3://photos")
    (('photos', 'cars/2024'), ('photos', ''))
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key.strip("/")


def _digest_in(answer: Any) -> str | None:
    """Return the digest in an object's metadata; servers differ in the case of metadata names."""
    return {name.lower(): str(value) for name, value in answer.get("Metadata", {}).items()}.get(_SHA256)


def _content_md5(digest: Any) -> str:
    return base64.b64encode(digest.digest()).decode()
