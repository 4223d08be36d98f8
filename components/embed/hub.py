"""Models from the Hugging Face hub, fetched only where the fleet file asks for one."""

import re
from pathlib import Path

from coachworks.errors import InvalidConfigError, TransientError
from coachworks.settings import apply_quiet_settings
from components.embed.pretrained_folder import pretrained_folder
from components.embed.source import Source

PREFIX = "hub:"
_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


def hub_model(backbone: str) -> Source:
    """The backbone that `hub:owner/name` or `hub:owner/name@revision` names: the copy at hand, else downloaded.

    Only configuration and safetensors are fetched; code never.

    Raises:
        InvalidConfigError: the name is malformed, or the model is not usable.
        TransientError: it is not at hand and cannot be downloaded.
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
    for at_hand in (True, False):
        try:
            return Path(
                snapshot_download(repository, revision=revision, allow_patterns=patterns, local_files_only=at_hand)
            )
        except LocalEntryNotFoundError as err:
            if not at_hand:
                raise _out_of_reach(repository) from err
        except (HfHubHTTPError, OSError) as err:
            raise _out_of_reach(repository) from err
    raise _out_of_reach(repository)


def _out_of_reach(repository: str) -> TransientError:
    return TransientError(
        f"the backbone {PREFIX}{repository} is not on this machine and cannot be downloaded. Check the name and the "
        "network, or put the model into a folder and name that as `backbone: ./folder`."
    )
