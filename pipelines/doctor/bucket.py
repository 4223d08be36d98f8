"""Checks of a store's bucket: access, writing, conditional writing, reading and deleting."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from coachworks.errors import CoachworksError, NotFoundError
from coachworks.s3 import Objects, RetryPolicy, open_s3, split_address
from pipelines.doctor.findings import Checks, Finding, failed, ok

ACCESS, WRITE, ONCE, READ, DELETE, SAME = (
    "store: access",
    "store: write",
    "store: publish once",
    "store: read",
    "store: delete",
    "store: same for both",
)
_POLICY = RetryPolicy(attempts=2, total_s=3.0)  # people wait for the answer of a check


@dataclass(frozen=True)
class ScratchPrefix:
    """A prefix of a store's bucket for the objects of one run of the checks.

    Attributes:
        bucket: Name of the bucket.
        prefix: Prefix of the objects' keys: `fleets/showroom/doctor/1a2b…`.
    """

    bucket: str
    prefix: str

    @classmethod
    def of(cls, store: str, run: str) -> "ScratchPrefix":
        """Return the prefix in the store `s3://bucket/prefix` for the run of the checks called `run`."""
        bucket, prefix = split_address(store)
        return cls(bucket, "/".join(part for part in (prefix, "doctor", run) if part))

    @property
    def address(self) -> str:
        """`s3://bucket` of the store."""
        return f"s3://{self.bucket}"

    @property
    def objects(self) -> Objects:
        """The objects under the prefix."""
        return Objects(self.bucket, self.prefix, policy=_POLICY, verify=False)

    def names(self) -> list[str]:
        """Return the names of all objects under the prefix."""
        with _hint():
            return [name for name, _ in self.objects.list()]

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""
        with _hint():
            self.objects.put(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write an object only if it does not exist; return whether its content is now `data`."""
        with _hint():
            return self.objects.create(name, data)

    def get(self, name: str) -> bytes:
        """Return the content of an object.

        Raises:
            NotFoundError: there is no such object.
        """
        with _hint():
            data = self.objects.get(name)
        if data is None:
            raise NotFoundError(f"{name!r} is not in {self.address}/{self.prefix}")
        return data

    def delete(self, name: str) -> None:
        """Delete an object."""
        with _hint():
            self.objects.delete(name)

    def clear(self) -> None:
        """Delete all objects under the prefix."""
        for name in self.names():
            self.delete(name)


@contextmanager
def _hint() -> Iterator[None]:
    """Add a hint to an error that S3 servers do not return."""
    try:
        yield
    except CoachworksError as err:
        if type(err) is CoachworksError:
            raise CoachworksError(f"{err}. Does AWS_ENDPOINT_URL name the address of an S3 server?") from err
        raise


def check_store(scratch: ScratchPrefix, side: str) -> list[Finding]:
    """Check a store's bucket; the objects that are written are deleted, except the object `side`.

    Args:
        scratch: Prefix to write to.
        side: Where the checks run: `local` or `pod`.
    """
    checks = Checks()
    with checks.checking(ACCESS, dependents=(WRITE, ONCE, READ, DELETE)):
        scratch.names()
        checks.add(ok(ACCESS, str(open_s3().meta.endpoint_url)))
        with checks.checking(WRITE, dependents=(ONCE, READ, DELETE)):
            data = uuid.uuid4().bytes
            scratch.put(side, data)
            checks.add(ok(WRITE, "works"))
            with checks.checking(ONCE):
                checks.add(_check_once(scratch, f"{side}.once"))
            with checks.checking(READ):
                if scratch.get(side) != data:
                    raise CoachworksError(
                        "an object came back changed. Use a server that returns what was written; is there a proxy or "
                        "a cache before it?"
                    )
                checks.add(ok(READ, "works"))
            with checks.checking(DELETE):
                scratch.delete(f"{side}.once")
                checks.add(ok(DELETE, "works"))
    return checks.findings


def _check_once(scratch: ScratchPrefix, name: str) -> Finding:
    """Check that the second writer of a key is refused, on which atomic publishing of results relies."""
    scratch.create(name, b"first")
    if scratch.create(name, b"second"):
        return failed(
            ONCE,
            "overwrites",
            "the server ignores If-None-Match, so two writers could mix a result: use an S3 server with conditional "
            "writes, such as AWS, MinIO, Ceph or versitygw.",
        )
    return ok(ONCE, "second writer refused")


def check_same(scratch: ScratchPrefix, other: str) -> Finding:
    """Check that the other side writes to the same bucket of the same server."""
    try:
        scratch.get(other)
    except NotFoundError:
        return failed(
            SAME,
            "another store",
            f"what was written on the other side is not in {scratch.address} as it is seen here, so the two are "
            "different servers: compare AWS_ENDPOINT_URL of this machine and of the pods.",
        )
    return ok(SAME, "yes")
