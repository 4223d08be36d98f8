"""The smoke test: photos of the test split must get the answers that evaluation recorded for this very version."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from coachworks.digests import digest_bytes
from coachworks.errors import CoachworksError, DataError
from coachworks.models.manifest import Manifest
from coachworks.store import Store
from components.deploy.canary.smoke_photos import SmokePhoto, choose

__all__ = ["PodClient", "Reply", "SmokePhoto", "SmokeReport", "choose", "smoke_test"]

_ATTEMPTS, _PAUSE_S = 3, 1.0
_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
TOLERANCE = 0.02  # of a probability: processors round in their own ways


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


class PodClient(Protocol):
    """Requests to one pod; see `components.deploy.cluster.pod_http`."""

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request; a CoachworksError where the pod does not answer."""


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


def smoke_test(
    client: PodClient, photos: Mapping[str, Sequence[SmokePhoto]], store: Store, manifest: Manifest
) -> SmokeReport:
    """Ask one pod about the photos, and which versions it answers with.

    Args:
        client: Client of a pod, on its port for all skills.
        photos: What `choose` gave; those of skills that `manifest` does not name are left out.
        store: Where the photos are.
        manifest: What the pod shall answer with.

    Raises:
        DataError: a photo in the store is damaged.
        NotFoundError: a photo is no longer there.
    """
    by_photo: dict[str, list[SmokePhoto]] = defaultdict(list)
    for photo in (photo for skill in manifest.skills for photo in photos.get(skill, ())):
        by_photo[photo.photo_id].append(photo)
    asked, slowest_s = 0, 0.0
    failures = [f"{skill}: there is no photo to ask about" for skill in manifest.skills if not photos.get(skill)]
    try:
        failures += _wrong_versions(client, manifest)
        for expected in by_photo.values():
            skills = quote(",".join(photo.skill for photo in expected))
            reply = _asked(client, "POST", f"/v1/predict?skills={skills}", _photo(store, expected[0]))
            asked, slowest_s = asked + len(expected), max(slowest_s, reply.seconds)
            failures += _wrong_answers(reply, expected, manifest)
    except _SilentError as err:
        failures.append(str(err))
    return SmokeReport(asked, tuple(failures), slowest_s)


class _SilentError(Exception):
    """The pod gives no answer at all: there is no point in asking on."""


def _asked(client: PodClient, method: str, path: str, body: bytes | None = None) -> Reply:
    """The reply to one request. A pod under traffic may have its hands full for a moment, a connection may break."""
    headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            reply = client.request(method, path, body, headers)
        except CoachworksError as err:
            if attempt == _ATTEMPTS:
                raise _SilentError(f"the pod gives no answer: {err}") from err
        else:
            if reply.status != _BUSY or attempt == _ATTEMPTS:
                return reply
        time.sleep(_PAUSE_S)
    raise AssertionError  # the last attempt returned or raised


def _photo(store: Store, photo: SmokePhoto) -> bytes:
    data = store.read(photo.uri)
    if digest_bytes(data) != photo.photo_id:
        raise DataError(
            f"the photo {photo.uri} in the store {store.uri} is damaged: its SHA-256 must be {photo.photo_id}. Remove "
            "it and run `coachworks ingest`, which takes it in again from its source."
        )
    return data


def _wrong_versions(client: PodClient, manifest: Manifest) -> Iterator[str]:
    reply = _asked(client, "GET", "/v1/skills")
    served = _part(reply, "skills")
    if served is None:
        yield f"/v1/skills: {_told(reply)}"
        return
    wanted = {skill: head.version for skill, head in manifest.skills.items()}
    found = {skill: card.get("model_version") for skill, card in served.items()}
    for skill in sorted({*wanted, *found}):
        if skill not in found:
            yield f"{skill}: the pod does not answer it; it answers {', '.join(sorted(found)) or 'nothing'}"
        elif skill not in wanted:
            yield f"{skill}: the pod answers it, and the release does not name it"
        elif found[skill] != wanted[skill]:
            yield f"{skill}: the pod says that version {found[skill]} answers; the release names {wanted[skill]}"


def _wrong_answers(reply: Reply, expected: Sequence[SmokePhoto], manifest: Manifest) -> Iterator[str]:
    answers = _part(reply, "answers")
    if answers is None:
        yield f"{', '.join(photo.skill for photo in expected)}: photo {expected[0].photo_id[:12]}: {_told(reply)}"
        return
    for photo in expected:
        said, version = answers.get(photo.skill) or {}, manifest.skills[photo.skill].version
        wanted = f"must get {photo.label!r} ({photo.probability:.3f})"
        about = f"{photo.skill}: photo {photo.photo_id[:12]}"
        if not said:
            yield f"{about} {wanted}; it gets no answer"
        elif said.get("model_version") != version:
            yield f"{about} is answered by version {said.get('model_version')}; the release names {version}"
        elif said.get("label") != photo.label or not _close(said.get("probability"), photo.probability):
            yield f"{about} {wanted}; it gets {said.get('label')!r} ({said.get('probability')})"


def _close(said: object, recorded: float) -> bool:
    return isinstance(said, (int, float)) and abs(said - recorded) <= TOLERANCE


def _part(reply: Reply, name: str) -> Mapping[str, Mapping[str, Any]] | None:
    """The mapping `name` of what a pod answered; None where the answer is another one."""
    try:
        part = json.loads(reply.body)[name] if reply.status == HTTPStatus.OK else None
    except (ValueError, KeyError, TypeError):
        return None
    shaped = isinstance(part, dict) and all(isinstance(entry, dict) for entry in part.values())
    return part if shaped else None


def _told(reply: Reply) -> str:
    """What a pod answered that it should not have, in short."""
    try:
        told = str(json.loads(reply.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        told = reply.body[:80].decode("utf-8", "replace")
    return f"the pod answered {reply.status}: {told}"
