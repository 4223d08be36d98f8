"""Smoke test: photos of the test split must get the answers that evaluation recorded for the same version."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from coachworks.errors import CoachworksError
from coachworks.models.manifest import Manifest
from coachworks.store import Store
from components.deploy.canary.smoke_photos import SmokePhoto
from components.deploy.cluster.pod_http import PodClient, Response

_ATTEMPTS, _PAUSE_S = 3, 1.0
_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
TOLERANCE = 0.02  # of a probability: processors round differently


@dataclass(frozen=True)
class SmokeReport:
    """Result of a smoke test of one pod.

    Attributes:
        asked: Number of answers that were compared.
        failures: A sentence for each wrong answer.
        slowest_s: Longest time of one photo, in seconds.
    """

    asked: int
    failures: tuple[str, ...] = ()
    slowest_s: float = 0.0

    @property
    def passed(self) -> bool:
        """True if every answer was right."""
        return not self.failures


def smoke_test(
    client: PodClient, photos: Mapping[str, Sequence[SmokePhoto]], store: Store, manifest: Manifest
) -> SmokeReport:
    """Send photos to one pod, and compare its answers and its versions with the expected ones.

    Args:
        client: Client of the pod, on its port for all skills.
        photos: Photos by skill; those of skills that `manifest` does not name are left out.
        store: The store with the photos.
        manifest: Versions that the pod must serve.

    Raises:
        DataError: a photo in the store is damaged.
        NotFoundError: a photo is no longer in the store.
    """
    by_photo: dict[str, list[SmokePhoto]] = defaultdict(list)
    for photo in (photo for skill in manifest.skills for photo in photos.get(skill, ())):
        by_photo[photo.photo_id].append(photo)
    asked, slowest_s = 0, 0.0
    failures = [f"{skill}: there is no photo to send" for skill in manifest.skills if not photos.get(skill)]
    try:
        failures += _wrong_versions(client, manifest)
        for expected in by_photo.values():
            skills = quote(",".join(photo.skill for photo in expected))
            query = f"?skills={skills}{expected[0].frame}"
            reply = _request(client, "POST", f"/v1/predict{query}", store.read(expected[0].uri))
            asked, slowest_s = asked + len(expected), max(slowest_s, reply.seconds)
            failures += _wrong_answers(reply, expected, manifest)
    except _SilentError as err:
        failures.append(str(err))
    return SmokeReport(asked, tuple(failures), slowest_s)


class _SilentError(Exception):
    """The pod does not answer at all: further requests are left out."""


def _request(client: PodClient, method: str, path: str, body: bytes | None = None) -> Response:
    """Send one request; repeat it where the pod is busy (503) or the connection breaks, as happens under traffic."""
    headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            reply = client.request(method, path, body, headers)
        except CoachworksError as err:
            if attempt == _ATTEMPTS:
                raise _SilentError(f"the pod does not answer: {err}") from err
        else:
            if reply.status != _BUSY or attempt == _ATTEMPTS:
                return reply
        time.sleep(_PAUSE_S)
    raise AssertionError  # the last attempt returned or raised


def _wrong_versions(client: PodClient, manifest: Manifest) -> Iterator[str]:
    reply = _request(client, "GET", "/v1/skills")
    served = _part(reply, "skills")
    if served is None:
        yield f"/v1/skills: {_describe(reply)}"
        return
    expected = {skill: head.version for skill, head in manifest.skills.items()}
    actual = {skill: card.get("model_version") for skill, card in served.items()}
    for skill in sorted({*expected, *actual}):
        if skill not in actual:
            yield f"{skill}: the pod does not serve it; it serves {', '.join(sorted(actual)) or 'nothing'}"
        elif skill not in expected:
            yield f"{skill}: the pod serves it, and the release does not name it"
        elif actual[skill] != expected[skill]:
            yield f"{skill}: the pod serves version {actual[skill]}; the release names {expected[skill]}"


def _wrong_answers(reply: Response, expected: Sequence[SmokePhoto], manifest: Manifest) -> Iterator[str]:
    answers = _part(reply, "answers")
    if answers is None:
        yield f"{', '.join(photo.skill for photo in expected)}: photo {expected[0].photo_id[:12]}: {_describe(reply)}"
        return
    for photo in expected:
        answer, version = answers.get(photo.skill) or {}, manifest.skills[photo.skill].version
        rule = f"must get {photo.label!r} ({photo.probability:.3f})"
        subject = f"{photo.skill}: photo {photo.photo_id[:12]}"
        if not answer:
            yield f"{subject} {rule}; it gets no answer"
        elif answer.get("model_version") != version:
            yield f"{subject} is answered by version {answer.get('model_version')}; the release names {version}"
        elif answer.get("label") != photo.label or not _close(answer.get("probability"), photo.probability):
            yield f"{subject} {rule}; it gets {answer.get('label')!r} ({answer.get('probability')})"


def _close(probability: object, recorded: float) -> bool:
    return isinstance(probability, (int, float)) and abs(probability - recorded) <= TOLERANCE


def _part(reply: Response, name: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the mapping `name` of a reply; None where the reply is not of that shape."""
    try:
        part = json.loads(reply.body)[name] if reply.status == HTTPStatus.OK else None
    except (ValueError, KeyError, TypeError):
        return None
    shaped = isinstance(part, dict) and all(isinstance(entry, dict) for entry in part.values())
    return part if shaped else None


def _describe(reply: Response) -> str:
    """Return an unexpected reply in short."""
    try:
        message = str(json.loads(reply.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = reply.body[:80].decode("utf-8", "replace")
    return f"the pod answered {reply.status}: {message}"
