"""How a new version proves itself: the smoke test before it gets traffic, the bake while it has some."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.models.manifest import Manifest
from coachworks.progress import Progress
from coachworks.store import Store
from components.deploy.canary.metrics import CANARY, STABLE, Meter, Rules, Verdict, judge, read_metrics
from components.deploy.canary.smoke import SmokePhoto, smoke_test
from components.deploy.cluster.namespace import Cluster, PodState
from components.deploy.cluster.pod_http import PodClient

_READINGS = 10  # of the pods' metrics in a bake, at least
_LONGEST_PAUSE_S = 10.0


class UnfitError(CoachworksError):
    """A new version did not prove itself; the message says what was seen.

    Attributes:
        verdict: What the bake showed, where it came to that.
    """

    def __init__(self, message: str, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a version must stand.

    Attributes:
        cluster: Where its pods are.
        store: Where the photos are.
        manifest: What the new pods answer with.
        skills: Skills by group.
        photos: The smoke test's photos by skill, and the answers they must get.
        rules: What is tolerated of a canary.
        bake_s: How long it must hold, in seconds.
        progress: Is told how it goes.
    """

    cluster: Cluster
    store: Store
    manifest: Manifest
    skills: Mapping[str, Sequence[str]]
    photos: Mapping[str, Sequence[SmokePhoto]]
    rules: Rules
    bake_s: float
    progress: Progress

    def smoke(self, groups: Sequence[str], track: str) -> int:
        """Ask every pod of `groups` about the photos.

        Returns:
            How many answers were compared.

        Raises:
            UnfitError: an answer was wrong, or a pod gave none.
        """
        pods = [(group, pod) for group in groups for pod in self._ready(group, track)]
        asked = 0
        with self.progress.task("smoke test", total=len(pods), unit="pods") as task:
            for group, pod in pods:
                asked += self._ask(pod, group, {skill: self.photos[skill] for skill in self.skills[group]})
                task.advance()
        return asked

    def bake(self, groups: Sequence[str]) -> Verdict:
        """Watch canary and stable pods of `groups` under traffic; where there is none, the photos are sent.

        Raises:
            UnfitError: the canary failed more, was slower, answered wrongly, or did not stay up.
        """
        watch = _Watch(self, groups)
        watch.read()
        pause = min(_LONGEST_PAUSE_S, max(self.bake_s / _READINGS, 0.5))
        end, doubts, shown = time.monotonic() + self.bake_s, 0, 0
        with self.progress.task("bake", total=round(self.bake_s), unit="s") as task:
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(pause, left))
                watch.ask()
                watch.read()
                verdict = watch.verdict()
                doubts = 0 if verdict.ok else doubts + 1
                if doubts > 1:  # one reading may be an accident
                    break
                passed = round(self.bake_s - max(0.0, end - time.monotonic()))
                task.advance(passed - shown)
                shown = passed
        verdict = watch.verdict()
        if not verdict.ok:
            raise UnfitError(verdict.reason, verdict)
        return verdict

    def _ready(self, group: str, track: str) -> list[PodState]:
        return [pod for pod in self.cluster.pods(group, track) if pod.ready and not pod.terminating]

    def _ask(self, pod: PodState, group: str, photos: Mapping[str, Sequence[SmokePhoto]]) -> int:
        own = {skill: self.manifest.skills[skill] for skill in self.skills[group]}
        expected = self.manifest.model_copy(update={"skills": own})
        try:
            with PodClient(self.cluster, pod.name) as client:
                report = smoke_test(client, photos, self.store, expected)
        except (TransientError, NotFoundError) as err:
            raise UnfitError(f"the pod {pod.name} did not answer the smoke test: {err}") from err
        if not report.passed:
            raise UnfitError(
                f"the pod {pod.name} failed the smoke test: {len(report.failures)} of {report.asked} answers, among "
                f"them: {'; '.join(report.failures[:3])}"
            )
        return report.asked


@dataclass
class _Watch:
    """What is seen of the pods during a bake."""

    proof: Proof
    groups: Sequence[str]
    meters: dict[str, Meter] = field(default_factory=lambda: {STABLE: Meter(), CANARY: Meter()})
    restarts: dict[str, int] = field(default_factory=dict)
    sent: int = 0  # by us, to stable pods

    def __post_init__(self) -> None:
        self._photos: dict[str, Iterator[Mapping[str, Sequence[SmokePhoto]]]] = {
            group: cycle(self._rounds(group)) for group in self.groups
        }

    def _rounds(self, group: str) -> list[Mapping[str, Sequence[SmokePhoto]]]:
        """The photos of a group, one of every skill at a time."""
        photos = {skill: self.proof.photos[skill] for skill in self.proof.skills[group]}
        most = max(map(len, photos.values()))
        return [{skill: [own[turn % len(own)]] for skill, own in photos.items() if own} for turn in range(most)]

    def read(self) -> None:
        """Read every pod's metrics.

        Raises:
            UnfitError: a canary pod went away or was started again.
        """
        for group in self.groups:
            for track in (STABLE, CANARY):
                pods = self.proof._ready(group, track)
                if track == CANARY:
                    self._check(group, pods)
                for pod in pods:
                    self._read(pod, track)

    def _check(self, group: str, ready: Sequence[PodState]) -> None:
        for pod in ready:
            if pod.restarts > self.restarts.setdefault(pod.name, pod.restarts):
                raise UnfitError(f"the canary pod {pod.name} was started again while it had traffic. {pod.problem}")
        known = {pod.name: pod for pod in self.proof.cluster.pods(group, CANARY)}
        if not ready:
            told = next((pod.problem for pod in known.values() if pod.problem), "its pods are not ready")
            raise UnfitError(f"the canary of {group} does not stay up: {told}")

    def _read(self, pod: PodState, track: str) -> None:
        try:
            with PodClient(self.proof.cluster, pod.name) as client:
                text = client.request("GET", "/metrics").body.decode("utf-8", "replace")
        except (TransientError, NotFoundError) as err:
            if track == CANARY:
                raise UnfitError(f"the canary pod {pod.name} does not answer: {err}") from err
            return  # a stable pod may come and go meanwhile
        self.meters[track].note(pod.name, read_metrics(text))

    def ask(self) -> None:
        """Send photos to the canary; where no client asks the stable pods, to them too, for comparison.

        Raises:
            UnfitError: an answer of the canary was wrong.
        """
        quiet = self.meters[STABLE].total.requests <= self.sent
        for group in self.groups:
            photos = next(self._photos[group])
            for pod in self.proof._ready(group, CANARY):
                self.proof._ask(pod, group, photos)
            for pod in self.proof._ready(group, STABLE) if quiet else ():
                self._ask_stable(pod, photos)

    def _ask_stable(self, pod: PodState, photos: Mapping[str, Sequence[SmokePhoto]]) -> None:
        """The answers are of no interest: only how long they take."""
        try:
            with PodClient(self.proof.cluster, pod.name) as client:
                for photo in (photo for own in photos.values() for photo in own):
                    body = self.proof.store.read(photo.uri)
                    client.request("POST", "/v1/predict", body, {"Content-Type": "application/octet-stream"})
                    self.sent += 1
        except (TransientError, NotFoundError):
            return

    def verdict(self) -> Verdict:
        """What the counts say by now."""
        return judge(self.meters[CANARY].total, self.meters[STABLE].total, self.proof.rules)
