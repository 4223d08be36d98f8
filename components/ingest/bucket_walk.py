"""What lies under a source's prefix in a bucket: the objects that may be photos, in the order that a folder has."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.s3 import error_code, open_s3, patient
from components.ingest.found import Found, is_passed_over, printable
from components.ingest.report import Aside, Rejection

PAGE_KEYS = 1000  # what S3 lists at a time
_GONE = "it is gone"
# What may be wrong with one object while all others are fine.
_SET_ASIDE = {
    "AccessDenied": "access is denied",
    "403": "access is denied",
    "NoSuchKey": _GONE,
    "404": _GONE,
    "PreconditionFailed": "it was replaced while photos were taken in; the next run reads it",
    "412": "it was replaced while photos were taken in; the next run reads it",
    "InvalidObjectState": "it is archived; restore it first",
    "KMS.DisabledException": "the key that it is encrypted with is disabled",
}


@dataclass(frozen=True)
class FoundObject:
    """An object under a source's prefix; see `Found`.

    Attributes:
        bucket: Its bucket.
        key: Its key.
        name: Its key relative to the source's prefix.
        size: Bytes.
        etag: Its entity tag: other bytes, another tag.
        client: The S3 client to read it with; safe in threads.
    """

    bucket: str
    key: str
    name: str
    size: int
    etag: str
    client: Any = field(repr=False, compare=False)

    @property
    def place(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """Its entity tag."""
        return self.etag

    def true_place(self) -> str:
        """Its address: there are no links in a bucket."""
        return self.place

    def readable(self) -> bool:
        """Always: only reading would tell."""
        return True

    def read(self, most: int) -> bytes:
        """Its first bytes, at most `most` of them; those of the version that was listed, or none."""
        wanted = {"Range": f"bytes=0-{most - 1}"} if self.size > most else {}

        def fetch() -> bytes:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag, **wanted)
            with closing(answer["Body"]) as body:
                data: bytes = body.read(most) if wanted else body.read()
            return data

        return _excusing(fetch, self.place)


def walk_bucket(photos: str, source: str, *, leave_out: str | None = None) -> Iterator[Found | Rejection]:
    """The objects under `photos`, in the order of a folder walk; hidden ones, litter and folder marks are passed over.

    Args:
        photos: `s3://bucket/prefix`.
        source: The source's name, for rejections.
        leave_out: Address not to enter: the store, which may lie among the photos.

    Raises:
        NotFoundError: there is no such bucket, or nothing under the prefix.
        InvalidConfigError: the bucket may not be listed, or `photos` is an object.
    """
    bucket, prefix = split_address(photos)
    prefix = f"{prefix}/" if prefix else ""
    store_bucket, store_prefix = split_address(leave_out) if leave_out else ("", "")
    left_out = f"{store_prefix}/" if store_bucket == bucket and store_prefix else None
    client = open_s3()
    listed = list(_list(client, bucket, prefix, photos))
    if not listed:
        raise _nothing_there(client, bucket, prefix, photos)
    # By parts, as folders are walked: `a/x` comes before `a.jpg`, which a bucket lists first.
    for entry in sorted(listed, key=lambda entry: entry["Key"].split("/")):
        key, size = entry["Key"], entry["Size"]
        name = key[len(prefix) :]
        if (left_out and key.startswith(left_out)) or any(is_passed_over(part) for part in name.split("/")):
            continue
        if not name or (name.endswith("/") and size == 0):
            continue  # what consoles leave where somebody made a folder
        if "" in name.split("/"):
            message = "an object's key must have no empty part between slashes, nor end with one; rename it"
            yield Rejection(printable(name), source, Aside.UNREADABLE, message)
            continue
        yield FoundObject(bucket=bucket, key=key, name=name, size=size, etag=entry["ETag"], client=client)


def read_object(address: str) -> bytes:
    """The whole object at `s3://bucket/key`.

    Raises:
        OSError: it cannot be read.
    """
    bucket, key = split_address(address)
    client = open_s3()

    def fetch() -> bytes:
        with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            data: bytes = body.read()
        return data

    return _excusing(fetch, address)


def split_address(address: str) -> tuple[str, str]:
    """Bucket and key of an address; a slash at the end does not count.

    >>> split_address("s3://photos/cars/2024/"), split_address("s3://photos")
    (('photos', 'cars/2024'), ('photos', ''))
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key.strip("/")


def _list(client: Any, bucket: str, prefix: str, photos: str) -> Iterator[dict[str, Any]]:
    """Key, size and entity tag of all objects under `prefix`, page by page."""
    further: dict[str, str] = {}
    while True:
        page = _page(client, photos, Bucket=bucket, Prefix=prefix, MaxKeys=PAGE_KEYS, **further)
        for entry in page.get("Contents", ()):
            yield {name: entry[name] for name in ("Key", "Size", "ETag")}
        if not page.get("IsTruncated"):
            return
        further = {"ContinuationToken": page["NextContinuationToken"]}


def _page(client: Any, photos: str, **request: Any) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    def ask() -> dict[str, Any] | str:
        try:
            page: dict[str, Any] = client.list_objects_v2(**request)
        except ClientError as err:
            code = error_code(err)
            if code not in {"NoSuchBucket", "AccessDenied"}:
                raise
            return code
        return page

    page = patient(ask, place=photos)
    if page == "NoSuchBucket":
        raise NotFoundError(
            f"photos {photos!r} does not exist: there is no bucket {request['Bucket']!r}. "
            "Correct `photos` of this source, or create the bucket."
        )
    if isinstance(page, str):
        raise InvalidConfigError(
            f"photos must be a prefix that may be listed; got {photos!r}, where access is denied. Allow "
            f"s3:ListBucket and s3:GetObject on the bucket {request['Bucket']!r}, or use other credentials."
        )
    return page


def _nothing_there(client: Any, bucket: str, prefix: str, photos: str) -> Exception:
    key = prefix.removesuffix("/")
    first = _page(client, photos, Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if key and [entry["Key"] for entry in first] == [key]:
        return InvalidConfigError(f"photos must be a prefix, a folder of the bucket; got {photos!r}, an object")
    return NotFoundError(f"photos {photos!r} does not exist: nothing lies there. Correct `photos` of this source.")


def _excusing(fetch: Callable[[], bytes], place: str) -> bytes:
    """What `fetch` gives, tried patiently; OSError where only this object cannot be read."""
    from botocore.exceptions import ClientError

    def ask() -> bytes | OSError:
        try:
            return fetch()
        except ClientError as err:
            message = _SET_ASIDE.get(error_code(err))
            if message is None:
                raise
            kind = FileNotFoundError if message == _GONE else OSError
            return kind(f"{message} ({error_code(err)})")

    answer = patient(ask, place=place)
    if isinstance(answer, OSError):
        raise answer
    return answer
