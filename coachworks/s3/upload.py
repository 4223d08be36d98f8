"""Uploads of large files in parts, by boto3's transfer manager."""

from collections.abc import Callable, Mapping
from pathlib import Path

from coachworks.s3.client import open_s3
from coachworks.s3.errors import error_code
from coachworks.s3.retry import RetryPolicy, with_retries

PART_BYTES = 16 << 20
_CONCURRENT_PARTS = 4
_PART_ATTEMPTS = 10
# botocore repeats single requests; this repeats a whole upload after failures that botocore does not repeat.
_UPLOAD_POLICY = RetryPolicy(attempts=3)


def upload_large_file(
    source: Path, bucket: str, key: str, *, metadata: Mapping[str, str], is_complete: Callable[[], bool]
) -> None:
    """Upload a file in parts, each with retries; parts of a failed upload are deleted.

    Args:
        source: The file.
        bucket: Name of the bucket.
        key: Key of the object.
        metadata: Metadata of the object.
        is_complete: Returns whether the object has the file's content. Called when the server no longer knows the
            upload, because the reply to a successful completion was lost.
    """
    from boto3.s3.transfer import TransferConfig, create_transfer_manager
    from botocore.exceptions import ClientError

    config = TransferConfig(
        multipart_threshold=PART_BYTES,
        multipart_chunksize=PART_BYTES,
        max_concurrency=_CONCURRENT_PARTS,
        preferred_transfer_client="classic",  # the other one, in C, ignores the client's settings
    )

    def upload() -> None:
        # `client.upload_file` does the same, but hides the server's error code in a text.
        try:
            with create_transfer_manager(open_s3(attempts=_PART_ATTEMPTS), config) as manager:
                manager.upload(str(source), bucket, key, extra_args={"Metadata": dict(metadata)}).result()
        except ClientError as err:
            if error_code(err) != "NoSuchUpload" or not is_complete():
                raise

    with_retries(upload, address=f"s3://{bucket}/{key}", policy=_UPLOAD_POLICY)
