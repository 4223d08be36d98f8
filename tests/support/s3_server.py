"""S3 servers for tests: one in this process, or the lab's; and the environment of their clients."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class S3Server:
    """An S3 server.

    Attributes:
        url: Its address.
        key: Access key.
        secret: Its secret.
        region: Its region.
    """

    url: str
    key: str = "test"
    secret: str = "test"
    region: str = "eu-west-1"

    def lead_to(self, monkeypatch: pytest.MonkeyPatch, url: str | None = None) -> None:
        """Set the environment of clients in this process and its children: the server, or `url` in its place."""
        for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "AWS_ENDPOINT_URL": url or self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)

    def make_bucket(self, name: str) -> None:
        """Create a bucket."""
        self._client().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region})

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with its objects."""
        client = self._client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page.get("Contents", ()):
                client.delete_object(Bucket=name, Key=entry["Key"])
        client.delete_bucket(Bucket=name)

    def keys(self, bucket: str) -> list[str]:
        """Keys of all objects in a bucket."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def _client(self):  # type: ignore[no-untyped-def]
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}),
        )


@contextmanager
def local_s3() -> Iterator[S3Server]:
    """Run a server in this process, on a free port."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").disabled = True
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
