"""What a new version is refused for: wrong answers, pods that fall silent or start again, errors under traffic."""

from collections.abc import Iterator
from typing import Any

import pytest
from released import Answers, LabelledCluster, answering, pod_of

from coachworks.digests import digest_bytes
from coachworks.progress import SILENT
from coachworks.store import FolderStore
from components.deploy.canary.checks import Proof, UnfitError
from components.deploy.canary.metrics import Rules
from components.deploy.canary.smoke import SmokePhoto
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


def _pod(track: str, **told: Any) -> dict[str, Any]:
    labels = {"coachworks.dev/group": "shared", "coachworks.dev/track": track}
    return pod_of({"name": f"cars-{track}", "labels": labels}, **told)


@pytest.fixture
def tracks(api_server: Objects) -> Tracks:
    return Tracks(api_server)


@pytest.fixture
def heard() -> list[str]:
    """What pods were asked."""
    return []


@pytest.fixture
def answers(api_server: Objects, tracks: Tracks, heard: list[str]) -> Iterator[Answers]:
    told = Answers(view=("a", "2"))
    with answering(api_server, told, heard.append):
        yield told


@pytest.fixture
def proof(cluster: Cluster, store: FolderStore) -> Proof:
    store.write("photos/one.jpg", PHOTO)
    return Proof(
        cluster=LabelledCluster(cluster.connection, cluster.namespace, "showroom"),
        store=store,
        manifest=manifest(view="2"),
        skills={"shared": ["view"]},
        photos={"view": [SmokePhoto("view", digest_bytes(PHOTO), "photos/one.jpg", "a", 0.9)]},
        rules=Rules(max_error_rate=0.01, max_latency_ratio=1.5),
        bake_s=1,
        progress=SILENT,
    )


def test_a_pod_that_answers_as_recorded_passes_and_only_its_track_is_asked(
    proof: Proof, answers: Answers, api_server: Objects
) -> None:
    assert proof.smoke(["shared"], "canary") == 1
    forwarded = [asked for asked in api_server.asked if "portforward" in asked]
    assert forwarded
    assert all("cars-canary-1" in asked for asked in forwarded)


@pytest.mark.parametrize(
    ("said", "told"), [(("b", "2"), "must get 'a'"), (("a", "1"), "version 1 answers; the release names 2")]
)
def test_a_wrong_answer_is_told_with_its_pod(proof: Proof, answers: Answers, said: Any, told: str) -> None:
    answers.skills["view"] = said
    with pytest.raises(UnfitError, match=rf"the pod cars-canary-1 failed the smoke test: \d of 1 answers.*{told}"):
        proof.smoke(["shared"], "canary")


def test_a_pod_that_is_not_ready_is_not_asked(proof: Proof, answers: Answers, tracks: Tracks) -> None:
    tracks.tell(ready=False)
    assert proof.smoke(["shared"], "canary") == 0


def test_a_canary_that_holds_is_judged_by_what_both_tracks_counted(
    proof: Proof, answers: Answers, heard: list[str]
) -> None:
    verdict = proof.bake(["shared"])
    assert verdict.ok
    assert [row.track for row in verdict.rows] == ["stable", "canary"]
    assert "/v1/predict?skills=view" in heard
    assert "/v1/predict" in heard


def test_errors_under_traffic_end_the_bake_with_what_was_seen(
    proof: Proof, answers: Answers, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks.only("canary")
    reply = answers.reply

    def failing(path: str) -> str:
        answers.errors += 20
        return reply(path)

    monkeypatch.setattr(answers, "reply", failing)
    with pytest.raises(UnfitError) as caught:
        proof.bake(["shared"])
    assert caught.value.verdict is not None
    assert not caught.value.verdict.ok
    assert str(caught.value) == caught.value.verdict.reason


def test_a_wrong_answer_during_the_bake_ends_it(proof: Proof, answers: Answers) -> None:
    answers.skills["view"] = ("b", "2")
    with pytest.raises(UnfitError, match="the pod cars-canary-1 failed the smoke test"):
        proof.bake(["shared"])


def test_a_canary_that_starts_again_under_traffic_is_refused(
    proof: Proof, answers: Answers, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = answers.reply

    def crash(path: str) -> str:
        if "predict" in path:
            tracks.tell(restarts=1)
        return reply(path)

    monkeypatch.setattr(answers, "reply", crash)
    with pytest.raises(UnfitError, match="the canary pod cars-canary-1 was started again while it had traffic"):
        proof.bake(["shared"])


def test_a_canary_that_goes_away_is_refused(proof: Proof, answers: Answers, tracks: Tracks) -> None:
    tracks.only("stable")
    with pytest.raises(UnfitError, match="the canary of shared does not stay up: its pods are not ready"):
        proof.bake(["shared"])


def test_a_canary_that_does_not_answer_is_refused(proof: Proof, answers: Answers) -> None:
    answers.silent = True
    with pytest.raises(UnfitError, match=r"the canary pod cars-canary-1 does not answer: the pod cars-canary-1 does"):
        proof.bake(["shared"])
