"""Who is deploying a release: one at a time, by a Lease that its holder renews and others take over when it runs out."""

from collections.abc import Iterator
from contextlib import contextmanager

from coachworks.errors import CoachworksError
from coachworks.progress import SILENT, Progress
from components.deploy.cluster import Cluster


class BusyError(CoachworksError):
    """Somebody else holds the lease: who, and since when."""


class LostError(CoachworksError):
    """The lease could not be renewed in time: somebody else may hold it now."""


class Hold:
    """A lease that is held."""

    @property
    def lost(self) -> bool:
        """Whether it could not be renewed in time, or was taken away."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise LostError where it is lost."""
        raise NotImplementedError


@contextmanager
def hold(
    cluster: Cluster,
    release: str,
    holder: str,
    *,
    duration_s: float = 30,
    wait_s: float = 0,
    progress: Progress = SILENT,
) -> Iterator[Hold]:
    """Hold the Lease `coachworks-<release>` for the time of the `with` block.

    Args:
        cluster: The cluster and namespace.
        release: The release.
        holder: Who we are, for others to read: `ann@laptop`.
        duration_s: How long it stays ours without renewal.
        wait_s: How long to wait for it where somebody else holds it; 0: not at all.
        progress: Is told what is waited for.

    Raises:
        BusyError: somebody else holds it.
    """
    raise NotImplementedError
    yield Hold()
