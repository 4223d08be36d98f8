"""Whether the bucket of a store answers, and does what a store needs: also to refuse what is there already."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from coachworks.errors import CoachworksError, NotFoundError
from coachworks.s3 import Patience, error_code, open_s3, patient
from pipelines.doctor.findings import Checks, Finding, found

T = TypeVar("T")

ACCESS, WRITE, ONCE, READ, DELETE, SAME = (
    "store: access",
    "store: write",
    "store: publish once",
    "store: read",
    "store: delete",
    "store: same for both",
)
_HASTE = Patience(attempts=2, total_s=3.0)  # who asks what is reachable wants to know now
_SCHEME = "s3://"


@dataclass(frozen=True)
class Corner:
    """A folder of a store's bucket where a doctor may write.

    Attributes:
        bucket: The bucket.
        prefix: Keys begin with it: `fleets/showroom/doctor/1a2b…`.
    """

    bucket: str
    prefix: str

    @classmethod
    def of(cls, store: str, visit: str) -> "Corner":
        """The corner of the store `s3://bucket/prefix` for one visit of a doctor."""
        bucket, _, prefix = store.removeprefix(_SCHEME).partition("/")
        return cls(bucket, "/".join(part for part in (prefix.strip("/"), "doctor", visit) if part))

    def ask(self, call: Callable[[Any], T]) -> T:
        """What the bucket's server answers, without much patience, in our own errors."""
        client = open_s3()
        try:
            return patient(lambda: call(client), place=f"{_SCHEME}{self.bucket}", patience=_HASTE)
        except CoachworksError as err:
            if type(err) is CoachworksError:  # an answer that S3 does not give
                raise CoachworksError(f"{err}. Does AWS_ENDPOINT_URL name the address of an S3 server?") from err
            raise

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""
        self.ask(lambda s3: s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=data))

    def get(self, name: str) -> bytes:
        """Read an object.

        Raises:
            NotFoundError: there is none.
        """
        from botocore.exceptions import ClientError

        def read(s3: Any) -> bytes | None:
            try:
                return bytes(s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")["Body"].read())
            except ClientError as err:
                if error_code(err) in {"NoSuchKey", "404"}:
                    return None
                raise

        data = self.ask(read)
        if data is None:
            raise NotFoundError(f"{name!r} is not in {_SCHEME}{self.bucket}/{self.prefix}")
        return data

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object unless it is there; whether it was not."""
        from botocore.exceptions import ClientError

        def put(s3: Any) -> bool:
            try:
                s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=data, IfNoneMatch="*")
            except ClientError as err:
                if error_code(err) in {"PreconditionFailed", "412"}:
                    return False
                raise
            return True

        return self.ask(put)

    def clear(self) -> None:
        """Remove all that was written here."""

        def remove(s3: Any) -> None:
            listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/", MaxKeys=100)
            for entry in listed.get("Contents", ()):
                s3.delete_object(Bucket=self.bucket, Key=entry["Key"])

        self.ask(remove)


def check_store(corner: Corner, side: str) -> list[Finding]:
    """Look at a store's bucket; what is written is removed, but for an object `side`.

    Args:
        corner: Where to write.
        side: Who looks: `here` or `pod`.
    """
    checks = Checks()
    with checks.about(ACCESS, then=(WRITE, ONCE, READ, DELETE)):
        corner.ask(lambda s3: s3.list_objects_v2(Bucket=corner.bucket, Prefix=f"{corner.prefix}/", MaxKeys=1))
        checks.add(found(ACCESS, str(open_s3().meta.endpoint_url)))
        with checks.about(WRITE, then=(ONCE, READ, DELETE)):
            data = uuid.uuid4().bytes
            corner.put(side, data)
            checks.add(found(WRITE, "works"))
            with checks.about(ONCE):
                checks.add(_check_once(corner, f"{side}.once"))
            with checks.about(READ):
                if corner.get(side) != data:
                    raise CoachworksError(
                        "an object came back changed. Use a server that gives back what it was given; is there a proxy "
                        "or a cache before it?"
                    )
                checks.add(found(READ, "works"))
            with checks.about(DELETE):
                key = f"{corner.prefix}/{side}.once"
                corner.ask(lambda s3: s3.delete_object(Bucket=corner.bucket, Key=key))
                checks.add(found(DELETE, "works"))
    return checks.findings


def _check_once(corner: Corner, name: str) -> Finding:
    """Two writers of one key: the second must be refused, for that is how results are published whole."""
    corner.put_new(name, b"first")
    if corner.put_new(name, b"second"):
        return found(
            ONCE,
            "overwrites",
            "the server ignores If-None-Match, so two writers could mix a result: use an S3 server with conditional "
            "writes, such as AWS, MinIO, Ceph or versitygw.",
        )
    return found(ONCE, "second writer refused")


def check_same(corner: Corner, other: str) -> Finding:
    """Whether the other side writes into the same bucket of the same server."""
    try:
        corner.get(other)
    except NotFoundError:
        return found(
            SAME,
            "another store",
            f"what was written on the other side is not in {_SCHEME}{corner.bucket} as it is seen here, so the two are "
            "different servers: compare AWS_ENDPOINT_URL of this machine and of the pods.",
        )
    return found(SAME, "yes")
