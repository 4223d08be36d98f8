"""The boto3 client for S3: the only place that creates one.

Endpoint, region and credentials come from where boto3 looks for them: environment, profile, service account.
"""

import os
import threading
from typing import Any
from urllib.parse import urlsplit

from coachworks.errors import InvalidConfigError

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 3.05, 20.0
_CONNECTIONS = 32
_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def open_s3(*, attempts: int = 1) -> Any:
    """Return the S3 client of this process; threads may share it.

    The same client is returned until the process forks or an `AWS_*` variable changes.

    Args:
        attempts: Attempts per request that botocore makes by itself. One where `with_retries` repeats the call:
            botocore's retries do not cover a response body that breaks off, and they draw on a quota.

    Raises:
        InvalidConfigError: boto3 is not installed, or its settings are invalid.
    """
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    identity = (os.getpid(), attempts, *settings)
    with _lock:
        if identity not in _clients:
            _clients[identity] = _create_client(attempts)
        return _clients[identity]


def _create_client(attempts: int) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as err:
        raise InvalidConfigError(
            "s3:// needs boto3, which is not installed here. Install it: `pip install 'coachworks[s3]'`."
        ) from err
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Checksums in trailers are AWS's own addition; many other servers reject them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="coachworks",
    )
    try:
        session = boto3.session.Session()
        region = session.region_name or os.environ.get("AWS_REGION")
        client = session.client("s3", region_name=region, config=config)
        profile = session._session.get_scoped_config().get("s3", {})
        has_style = isinstance(profile, dict) and "addressing_style" in profile
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not has_style and not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # Self-hosted servers rarely have a DNS name per bucket.
            path_style = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", region_name=region, config=path_style)
    except (BotoCoreError, ValueError) as err:
        raise InvalidConfigError(
            f"the settings for S3 cannot be used: {err}. Correct the AWS_* variables or the AWS profile."
        ) from err
    return client
