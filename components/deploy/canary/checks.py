"""Checks of a new version: a smoke test before it gets traffic, and a soak while it has some."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.models.manifest import Manifest
from coachworks.progress import Progress
from coachworks.store import Store
from components.deploy.canary.metrics import (
    CANARY,
    STABLE,
    CanaryLimits,
    RequestCounter,
    SoakResult,
    compare_tracks,
    read_metrics,
)
from components.deploy.canary.smoke import smoke_test
from components.deploy.canary.smoke_photos import SmokePhoto
from components.deploy.cluster.namespace import Cluster, PodState
from components.deploy.cluster.pod_access import access_to
from components.deploy.cluster.pod_http import PodClient

_READINGS = 10  # of the pods' metrics in a soak, at least
_LONGEST_PAUSE_S = 10.0
_SHORTEST_PAUSE_S = 0.5
_FAILED_READINGS = 2  # in a row end a soak: a single bad one may be an accident


class CanaryFailedError(CoachworksError):
    """A new version failed a check; the message says how.

    Attributes:
        result: Result of the soak, where it came to that.
    """

    def __init__(self, message: str, result: SoakResult | None = None) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, kw_only=True)
class CanaryChecks:
    """Checks a new version must pass.

    Attributes:
        cluster: The pods.
        store: The store with the photos.
        manifest: Versions that the new pods must serve.
        skills: Skills by group of pods.
        photos: Photos of the smoke test by skill, with the answers that they must get.
        limits: Limits of the canary's errors and latency.
        soak_s: Duration of the soak, in seconds.
        progress: Receives progress updates.
    """

    cluster: Cluster
    store: Store
    manifest: Manifest
    skills: Mapping[str, Sequence[str]]
    photos: Mapping[str, Sequence[SmokePhoto]]
    limits: CanaryLimits
    soak_s: float
    progress: Progress

    def smoke(self, groups: Sequence[str], track: str) -> int:
        """Send the photos to every pod of `groups`.

        Returns:
            Number of answers that were compared.

        Raises:
            CanaryFailedError: an answer was wrong, or a pod did not answer.
        """
        pods = [(group, pod) for group in groups for pod in self.ready_pods(group, track)]
        asked = 0
        with self.progress.task("smoke test", total=len(pods), unit="pods") as task:
            for group, pod in pods:
                self._verify_names(pod)
                asked += self.check_answers(pod, group, {skill: self.photos[skill] for skill in self.skills[group]})
                task.advance()
        return asked

    def soak(self, groups: Sequence[str]) -> SoakResult:
        """Watch canary and stable pods of `groups` under traffic; photos are sent where there is none.

        Raises:
            CanaryFailedError: the canary failed more requests, was slower, answered wrongly, or did not stay ready.
        """
        observer = _SoakObserver(self, groups)
        observer.read()
        # At least `_READINGS` readings, so that a bad canary is noticed early, but not more often than helps.
        pause = min(_LONGEST_PAUSE_S, max(self.soak_s / _READINGS, _SHORTEST_PAUSE_S))
        end, failed, shown = time.monotonic() + self.soak_s, 0, 0
        with self.progress.task("soak", total=round(self.soak_s), unit="s") as task:
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(pause, left))
                observer.send_photos()
                observer.read()
                failed = 0 if observer.result().ok else failed + 1
                if failed == _FAILED_READINGS:
                    break
                passed = round(self.soak_s - max(0.0, end - time.monotonic()))
                task.advance(passed - shown)
                shown = passed
        result = observer.result()
        if not result.ok:
            raise CanaryFailedError(result.reason, result)
        return result

    def ready_pods(self, group: str, track: str) -> list[PodState]:
        """Return the pods of a group's track that are ready and not terminating."""
        return [pod for pod in self.cluster.pods(group, track) if pod.ready and not pod.terminating]

    def client_of(self, pod: PodState) -> PodClient:
        """Return a client of a pod, with the API keys and certificates of the Secrets that the pod mounts.

        Raises:
            NotFoundError: one of these is gone.
        """
        return PodClient(self.cluster, pod.name, access=access_to(self.cluster, pod))

    def _verify_names(self, pod: PodState) -> None:
        """Verify a pod's certificate, where it has one, by the name of every Service that selects it."""
        try:
            with self.client_of(pod) as client:
                client.verify_names()
        except (TransientError, NotFoundError, InvalidConfigError) as err:
            raise CanaryFailedError(f"the pod {pod.name} failed the smoke test: {err}") from err

    def check_answers(self, pod: PodState, group: str, photos: Mapping[str, Sequence[SmokePhoto]]) -> int:
        """Send photos to one pod and compare its answers; return their number.

        Raises:
            CanaryFailedError: an answer was wrong, or the pod did not answer.
        """
        heads = {skill: self.manifest.skills[skill] for skill in self.skills[group]}
        expected = self.manifest.model_copy(update={"skills": heads})
        try:
            with self.client_of(pod) as client:
                report = smoke_test(client, photos, self.store, expected)
        except (TransientError, NotFoundError, InvalidConfigError) as err:
            raise CanaryFailedError(f"the pod {pod.name} did not answer the smoke test: {err}") from err
        if not report.passed:
            raise CanaryFailedError(
                f"the pod {pod.name} failed the smoke test: {len(report.failures)} of {report.asked} answers, among "
                f"them: {'; '.join(report.failures[:3])}"
            )
        return report.asked


@dataclass
class _SoakObserver:
    """Metrics and restarts of the pods during a soak."""

    checks: CanaryChecks
    groups: Sequence[str]
    counters: dict[str, RequestCounter] = field(
        default_factory=lambda: {STABLE: RequestCounter(), CANARY: RequestCounter()}
    )
    restarts: dict[str, int] = field(default_factory=dict)
    sent: int = 0  # requests of our own to stable pods

    def __post_init__(self) -> None:
        self._photos: dict[str, Iterator[Mapping[str, Sequence[SmokePhoto]]]] = {
            group: cycle(self._rounds(group)) for group in self.groups
        }

    def _rounds(self, group: str) -> list[Mapping[str, Sequence[SmokePhoto]]]:
        """Return the photos of a group in rounds of one photo per skill."""
        photos = {skill: self.checks.photos[skill] for skill in self.checks.skills[group]}
        rounds = max(map(len, photos.values()))
        return [{skill: [own[turn % len(own)]] for skill, own in photos.items() if own} for turn in range(rounds)]

    def read(self) -> None:
        """Read every pod's metrics.

        Raises:
            CanaryFailedError: a canary pod went away or was restarted.
        """
        for group in self.groups:
            for track in (STABLE, CANARY):
                pods = self.checks.ready_pods(group, track)
                if track == CANARY:
                    self._check_ready(group, pods)
                for pod in pods:
                    self._read_pod(pod, track)

    def _check_ready(self, group: str, ready: Sequence[PodState]) -> None:
        for pod in ready:
            if pod.restarts > self.restarts.setdefault(pod.name, pod.restarts):
                raise CanaryFailedError(f"the canary pod {pod.name} was restarted while it had traffic. {pod.problem}")
        if not ready:
            pods = self.checks.cluster.pods(group, CANARY)
            reason = next((pod.problem for pod in pods if pod.problem), "its pods are not ready")
            raise CanaryFailedError(f"the canary of {group} does not stay ready: {reason}")

    def _read_pod(self, pod: PodState, track: str) -> None:
        try:
            with self.checks.client_of(pod) as client:
                text = client.request("GET", "/metrics").body.decode("utf-8", "replace")
        except (TransientError, NotFoundError, InvalidConfigError) as err:
            if track == CANARY:
                raise CanaryFailedError(f"the canary pod {pod.name} does not answer: {err}") from err
            return  # a stable pod may come and go meanwhile
        self.counters[track].add_reading(pod.name, read_metrics(text))

    def send_photos(self) -> None:
        """Send photos to the canary, and to the stable pods for comparison where these have no other traffic.

        Raises:
            CanaryFailedError: an answer of the canary was wrong.
        """
        no_traffic = self.counters[STABLE].total.requests <= self.sent
        for group in self.groups:
            photos = next(self._photos[group])
            for pod in self.checks.ready_pods(group, CANARY):
                self.checks.check_answers(pod, group, photos)
            for pod in self.checks.ready_pods(group, STABLE) if no_traffic else ():
                self._send_to_stable(pod, photos)

    def _send_to_stable(self, pod: PodState, photos: Mapping[str, Sequence[SmokePhoto]]) -> None:
        """Send photos to a stable pod; only the time that it takes matters, not the answers."""
        try:
            with self.checks.client_of(pod) as client:
                for photo in (photo for own in photos.values() for photo in own):
                    body = self.checks.store.read(photo.uri)
                    client.request("POST", "/v1/predict", body, {"Content-Type": "application/octet-stream"})
                    self.sent += 1
        except (TransientError, NotFoundError, InvalidConfigError):
            return

    def result(self) -> SoakResult:
        """Compare the counts so far."""
        return compare_tracks(self.counters[CANARY].total, self.counters[STABLE].total, self.checks.limits)
