"""The smoke test: photos of the test split must get the answers that evaluation recorded for this very version."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from coachworks.digests import digest_bytes
from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError
from coachworks.results import Result, ancestor, load
from coachworks.store import Store
from components.package.manifest import Manifest, PackagedHead

LEAST_MARGIN = 0.05  # between the two most probable labels: closer ones may swap on another processor
TOLERANCE = 0.02  # features are kept in half precision, and processors round in their own ways


class Reply(Protocol):
    """What a pod answered."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def body(self) -> bytes:
        """The body."""

    @property
    def seconds(self) -> float:
        """How long it took."""


class Conversation(Protocol):
    """Requests to one pod; see `components.deploy.forward`."""

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request; a CoachworksError where the pod does not answer."""


@dataclass(frozen=True)
class SmokePhoto:
    """A photo, and the answer that it must get.

    Attributes:
        skill: The skill that is asked.
        photo_id: SHA-256 of the photo.
        uri: Its key in the store.
        label: The answer that evaluation recorded.
        probability: Its calibrated probability.
    """

    skill: str
    photo_id: str
    uri: str
    label: str
    probability: float


@dataclass(frozen=True)
class SmokeReport:
    """How the pod did.

    Attributes:
        asked: Answers that were compared.
        failures: What was wrong, a sentence each.
        slowest_s: The longest that one photo took, in seconds.
    """

    asked: int
    failures: tuple[str, ...] = ()
    slowest_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every answer was right."""
        return not self.failures


def choose(store: Store, manifest: Manifest, per_skill: int) -> dict[str, list[SmokePhoto]]:
    """Up to `per_skill` photos for each skill, spread over its answers, the most certain ones first.

    Raises:
        NotFoundError: the answers that evaluation recorded of a version, or the photos, are no longer in the store.
        DataError: they are those of another head.
        InvalidConfigError: `per_skill` is not at least 1.
    """
    raise NotImplementedError


def smoke_test(
    conversation: Conversation, photos: Mapping[str, Sequence[SmokePhoto]], store: Store, manifest: Manifest
) -> SmokeReport:
    """Ask one pod about the photos, and which versions it answers with.

    Args:
        conversation: With a pod, on its port for all skills.
        photos: What `choose` gave.
        store: Where the photos are.
        manifest: What the pod shall answer with.

    Raises:
        DataError: a photo in the store is damaged.
        NotFoundError: a photo is no longer there.
    """
    raise NotImplementedError
