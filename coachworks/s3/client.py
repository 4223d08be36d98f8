"""S3 clients, made in one place, and patience with the servers behind them.

Endpoint, region and credentials are found the way boto3 finds them: environment, profile, service account. The
clients try once; `patient` repeats what failed for now, and translates what will not work however often it is tried.
"""

import os
import threading
from typing import Any
from urllib.parse import urlsplit

from coachworks.errors import InvalidConfigError

_CONNECT_S, _READ_S = 3.05, 20.0
_CONNECTIONS = 32
_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def open_s3() -> Any:
    """A client for S3, to share between threads; the same one while process and environment stay the same.

    Raises:
        InvalidConfigError: boto3 is not installed, or its settings cannot be used.
    """
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    identity = (os.getpid(), *settings)
    with _lock:
        if identity not in _clients:
            _clients[identity] = _make_client()
        return _clients[identity]


def _make_client() -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as err:
        raise InvalidConfigError(
            "s3:// needs boto3, which is not installed here. Install it: `pip install 'coachworks[s3]'`."
        ) from err
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},  # `patient` repeats, without a quota
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="coachworks",
    )
    try:
        session = boto3.session.Session()
        region = session.region_name or os.environ.get("AWS_REGION")
        client = session.client("s3", region_name=region, config=config)
        said = session._session.get_scoped_config().get("s3", {})
        named = isinstance(said, dict) and "addressing_style" in said
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not named and not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # Most servers of one's own have no names for buckets.
            path_style = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", region_name=region, config=path_style)
    except (BotoCoreError, ValueError) as err:
        raise InvalidConfigError(
            f"the settings for S3 cannot be used: {err}. Correct the AWS_* variables or the AWS profile."
        ) from err
    return client
