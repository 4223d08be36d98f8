"""Objects under a source's prefix in a bucket that may be photos, in the order of a folder walk."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError
from coachworks.s3 import (
    AccessDeniedError,
    ObjectChangedError,
    ObjectInfo,
    ObjectMissingError,
    Objects,
    ObjectUnreadableError,
    split_address,
)
from coachworks.s3.errors import error_code
from components.ingest.listing import SourceFile, is_skipped, printable
from components.ingest.report import Aside, Rejection


@dataclass(frozen=True)
class BucketObject:
    """An object under a source's prefix; see `SourceFile`.

    Attributes:
        name: Key relative to the source's prefix.
        size: Size in bytes.
        etag: Entity tag, which changes with the content.
        objects: The objects of the source's prefix; threads may share it.
    """

    name: str
    size: int
    etag: str
    objects: Objects = field(repr=False, compare=False)

    @property
    def place(self) -> str:
        """Address of the object."""
        return self.objects.address(self.name)

    @property
    def version(self) -> str:
        """Entity tag of the object."""
        return self.etag

    def true_place(self) -> str:
        """Return the address: a bucket has no links."""
        return self.place

    def readable(self) -> bool:
        """Return True: only reading shows whether access is allowed."""
        return True

    def read(self, most: int) -> bytes:
        """Return the first bytes of the listed version, at most `most`."""
        return _read(self.objects, self.name, most if self.size > most else None, self.etag)


def walk_bucket(photos: str, source: str, *, leave_out: str | None = None) -> Iterator[SourceFile | Rejection]:
    """Yield the objects under `photos` in the order of a folder walk.

    Hidden objects, files of operating systems, and marks of folders are skipped.

    Args:
        photos: `s3://bucket/prefix`.
        source: Name of the source, for rejections.
        leave_out: Address to skip: that of the store, which may be among the photos.

    Raises:
        NotFoundError: the bucket does not exist, or nothing is under the prefix.
        InvalidConfigError: the bucket may not be listed, or `photos` is an object.
    """
    bucket, prefix = split_address(photos)
    objects = Objects(bucket, prefix, verify=False)
    store_bucket, store_prefix = split_address(leave_out) if leave_out else ("", "")
    left_out = f"{store_prefix}/" if store_bucket == bucket and store_prefix else None
    listed = _list(objects, bucket, photos)
    if not listed:
        raise _nothing_there(bucket, prefix, photos)
    # Sorted by path components, as folders are walked: `a/x` comes before `a.jpg`, which a bucket lists first.
    for name, info in sorted(listed, key=lambda entry: entry[0].split("/")):
        key = f"{prefix}/{name}" if prefix else name
        if (left_out and key.startswith(left_out)) or any(is_skipped(part) for part in name.split("/")):
            continue
        if not name or (name.endswith("/") and info.size == 0):
            continue  # marks of folders, as web consoles create them
        if "" in name.split("/"):
            message = "an object's key must have no empty part between slashes, nor end with one; rename it"
            yield Rejection(printable(name), source, Aside.UNREADABLE, message)
            continue
        yield BucketObject(name=name, size=info.size, etag=info.etag, objects=objects)


def read_object(address: str, most: int) -> bytes:
    """Return the first bytes of the object at `s3://bucket/key`, at most `most`.

    Raises:
        OSError: it cannot be read.
    """
    bucket, key = split_address(address)
    objects = Objects(bucket, verify=False)
    info = objects.head(key)
    return _read(objects, key, most if info is not None and info.size > most else None)  # no range of an empty object


def _list(objects: Objects, bucket: str, photos: str) -> list[tuple[str, ObjectInfo]]:
    try:
        return list(objects.list())
    except NotFoundError as err:
        raise NotFoundError(
            f"photos {photos!r} does not exist: there is no bucket {bucket!r}. "
            "Correct `photos` of this source, or create the bucket."
        ) from err
    except AccessDeniedError as err:
        raise InvalidConfigError(
            f"photos must be a prefix that may be listed; got {photos!r}, where access is denied. Allow "
            f"s3:ListBucket and s3:GetObject on the bucket {bucket!r}, or use other credentials."
        ) from err


def _nothing_there(bucket: str, prefix: str, photos: str) -> CoachworksError:
    if prefix and [key for key, _ in Objects(bucket).list(prefix, limit=1)] == [prefix]:
        return InvalidConfigError(f"photos must be a prefix, a folder of the bucket; got {photos!r}, an object")
    return NotFoundError(f"photos {photos!r} does not exist: nothing lies there. Correct `photos` of this source.")


def _read(objects: Objects, key: str, most: int | None = None, etag: str | None = None) -> bytes:
    """Read an object; raise OSError where only this object cannot be read and others may be."""
    try:
        return objects.read(key, 0, most, etag=etag)
    except ObjectMissingError as err:
        raise FileNotFoundError(f"it is gone ({error_code(err.__cause__)})") from err
    except ObjectChangedError as err:
        reason = "it was replaced while photos were taken in; the next run reads it"
        raise OSError(f"{reason} ({error_code(err.__cause__)})") from err
    except AccessDeniedError as err:
        raise OSError(f"access is denied ({error_code(err.__cause__)})") from err
    except ObjectUnreadableError as err:
        raise OSError(f"{err.reason} ({error_code(err.__cause__)})") from err
