"""What is deployed where, as tags on the model versions in MLflow: for people who look there, and for `prune`."""

from collections.abc import Mapping
from dataclasses import dataclass

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A revision of a Helm release.

    Attributes:
        namespace: Where it is.
        name: The release's name.
        revision: Number of the revision.
        release: Digest of what is released, 12 hexadecimal digits.
        at: When, ISO 8601, UTC.
        by: Who deployed it.
    """

    namespace: str
    name: str
    revision: int
    release: str
    at: str
    by: str


@dataclass(frozen=True)
class Recorded:
    """What was recorded, as `view v3`.

    Attributes:
        stable: Versions that are deployed now.
        replaced: Versions that were, until now.
        unknown: Deployed versions that MLflow no longer holds.
    """

    stable: tuple[str, ...]
    replaced: tuple[str, ...]
    unknown: tuple[str, ...]


def record_deployed(
    fleet: Fleet, deployment: Deployment, versions: Mapping[str, str], *, progress: Progress = SILENT
) -> Recorded:
    """Say on each version that it is deployed, and on those that it replaced that they were.

    It asks what is there first, so it may be repeated; what a killed deployer left unsaid is said the next time.

    Args:
        fleet: The fleet.
        deployment: The revision.
        versions: Version by skill, of all that the release answers.

    Raises:
        TransientError: the tracking server stays away longer than patience lasts.
    """
    raise NotImplementedError
