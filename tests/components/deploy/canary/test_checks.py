"""Faults for which a new version is refused: wrong answers, silent or restarted pods, errors under traffic."""

from collections.abc import Iterator
from typing import Any

import pytest
from released import Answers, LabelledCluster, answering, pod_of

from coachworks.digests import digest_bytes
from coachworks.progress import SILENT
from coachworks.store import FolderStore
from components.deploy.canary.checks import CanaryChecks, CanaryFailedError
from components.deploy.canary.metrics import CanaryLimits
from components.deploy.canary.smoke_photos import SmokePhoto
from components.deploy.cluster.namespace import Cluster
from deploy_values import manifest
from kubernetes_server import Objects

PODS = "/api/v1/namespaces/models/pods"
PHOTO = b"a photo"


class Tracks:
    """The stable and the canary pod of the shared group; a test may change what is told of the canary."""

    def __init__(self, server: Objects) -> None:
        self._server = server
        self.tell()

    def tell(self, **canary: Any) -> None:
        self._server[PODS] = {"items": [_pod("stable"), _pod("canary", **canary)]}

    def only(self, track: str) -> None:
        self._server[PODS] = {"items": [_pod(track)]}


def _pod(track: str, **message: Any) -> dict[str, Any]:
    labels = {"coachworks.dev/group": "shared", "coachworks.dev/track": track}
    return pod_of({"name": f"cars-{track}", "labels": labels}, **message)


@pytest.fixture
def tracks(api_server: Objects) -> Tracks:
    return Tracks(api_server)


@pytest.fixture
def heard() -> list[str]:
    """Paths that pods were asked for."""
    return []


@pytest.fixture
def answers(api_server: Objects, tracks: Tracks, heard: list[str]) -> Iterator[Answers]:
    message = Answers(view=("a", "2"))
    with answering(api_server, message, heard.append):
        yield message


@pytest.fixture
def checks(cluster: Cluster, store: FolderStore) -> CanaryChecks:
    store.write("photos/one.jpg", PHOTO)
    return CanaryChecks(
        cluster=LabelledCluster(cluster.connection, cluster.namespace, "showroom"),
        store=store,
        manifest=manifest(view="2"),
        skills={"shared": ["view"]},
        photos={"view": [SmokePhoto("view", digest_bytes(PHOTO), "photos/one.jpg", "a", 0.9)]},
        limits=CanaryLimits(max_error_rate=0.01, max_latency_ratio=1.5),
        soak_s=1,
        progress=SILENT,
    )


def test_a_pod_that_answers_as_recorded_passes_and_only_its_track_is_asked(
    checks: CanaryChecks, answers: Answers, api_server: Objects
) -> None:
    assert checks.smoke(["shared"], "canary") == 1
    forwarded = [asked for asked in api_server.asked if "portforward" in asked]
    assert forwarded
    assert all("cars-canary-1" in asked for asked in forwarded)


@pytest.mark.parametrize(
    ("answer", "message"), [(("b", "2"), "must get 'a'"), (("a", "1"), "serves version 1; the release names 2")]
)
def test_a_wrong_answer_is_reported_with_its_pod(
    checks: CanaryChecks, answers: Answers, answer: Any, message: str
) -> None:
    answers.skills["view"] = answer
    with pytest.raises(
        CanaryFailedError, match=rf"the pod cars-canary-1 failed the smoke test: \d of 1 answers.*{message}"
    ):
        checks.smoke(["shared"], "canary")


def test_a_pod_that_is_not_ready_is_not_asked(checks: CanaryChecks, answers: Answers, tracks: Tracks) -> None:
    tracks.tell(ready=False)
    assert checks.smoke(["shared"], "canary") == 0


def test_a_canary_without_faults_is_compared_by_the_counts_of_both_tracks(
    checks: CanaryChecks, answers: Answers, heard: list[str]
) -> None:
    result = checks.soak(["shared"])
    assert result.ok
    assert [row.track for row in result.rows] == ["stable", "canary"]
    assert "/v1/predict?skills=view" in heard
    assert "/v1/predict" in heard


def test_errors_under_traffic_end_the_soak_with_its_result(
    checks: CanaryChecks, answers: Answers, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks.only("canary")
    reply = answers.reply

    def failing(path: str) -> str:
        answers.errors += 20
        return reply(path)

    monkeypatch.setattr(answers, "reply", failing)
    with pytest.raises(CanaryFailedError) as caught:
        checks.soak(["shared"])
    assert caught.value.result is not None
    assert not caught.value.result.ok
    assert str(caught.value) == caught.value.result.reason


def test_a_wrong_answer_during_the_soak_ends_it(checks: CanaryChecks, answers: Answers) -> None:
    answers.skills["view"] = ("b", "2")
    with pytest.raises(CanaryFailedError, match="the pod cars-canary-1 failed the smoke test"):
        checks.soak(["shared"])


def test_a_canary_that_restarts_under_traffic_is_refused(
    checks: CanaryChecks, answers: Answers, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = answers.reply

    def crash(path: str) -> str:
        if "predict" in path:
            tracks.tell(restarts=1)
        return reply(path)

    monkeypatch.setattr(answers, "reply", crash)
    with pytest.raises(CanaryFailedError, match="the canary pod cars-canary-1 was restarted while it had traffic"):
        checks.soak(["shared"])


def test_a_canary_that_goes_away_is_refused(checks: CanaryChecks, answers: Answers, tracks: Tracks) -> None:
    tracks.only("stable")
    with pytest.raises(CanaryFailedError, match="the canary of shared does not stay ready: its pods are not ready"):
        checks.soak(["shared"])


def test_a_canary_that_does_not_answer_is_refused(checks: CanaryChecks, answers: Answers) -> None:
    answers.silent = True
    with pytest.raises(
        CanaryFailedError, match=r"the canary pod cars-canary-1 does not answer: the pod cars-canary-1 does"
    ):
        checks.soak(["shared"])
