"""Models from the Hugging Face hub, downloaded only if the fleet file names one."""

import re
from pathlib import Path

from coachworks.errors import InvalidConfigError, TransientError
from coachworks.settings import apply_quiet_settings
from components.embed.pretrained_folder import pretrained_folder
from components.embed.source import Source

PREFIX = "hub:"
_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


def hub_model(backbone: str) -> Source:
    """Find the backbone `hub:owner/name` or `hub:owner/name@revision` in the local cache, or download it.

    Only configuration and safetensors are downloaded, never code.

    Raises:
        InvalidConfigError: the name is malformed, or the model cannot be used.
        TransientError: the model is not cached and cannot be downloaded.
    """
    name = backbone.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise InvalidConfigError(f"backbone must be hub:owner/name or hub:owner/name@revision; got {backbone!r}")
    repository, _, revision = name.partition("@")
    return pretrained_folder(_snapshot(repository, revision or None), name=backbone)


def _snapshot(repository: str, revision: str | None) -> Path:
    apply_quiet_settings()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]
    for cached_only in (True, False):
        try:
            return Path(
                snapshot_download(repository, revision=revision, allow_patterns=patterns, local_files_only=cached_only)
            )
        except LocalEntryNotFoundError as err:
            if not cached_only:
                raise _unreachable(repository) from err
        except (HfHubHTTPError, OSError) as err:
            raise _unreachable(repository) from err
    raise _unreachable(repository)


def _unreachable(repository: str) -> TransientError:
    return TransientError(
        f"the backbone {PREFIX}{repository} is not on this machine and cannot be downloaded. Check the name and the "
        "network, or put the model into a folder and name that as `backbone: ./folder`."
    )
