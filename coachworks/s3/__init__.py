"""Access to S3 servers: the client, retries, error classes, and the objects of a bucket.

Everything in coachworks that reads or writes S3 goes through this package. boto3 is imported on first use.
"""

from coachworks.s3.client import open_s3
from coachworks.s3.errors import AccessDeniedError, ObjectChangedError, ObjectMissingError, ObjectUnreadableError
from coachworks.s3.objects import ObjectInfo, Objects, split_address
from coachworks.s3.retry import RetryPolicy, with_retries

__all__ = [
    "AccessDeniedError",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectMissingError",
    "ObjectUnreadableError",
    "Objects",
    "RetryPolicy",
    "open_s3",
    "split_address",
    "with_retries",
]
