"""Photos of a smoke test, and its failures for pods whose answers differ from those of evaluation."""

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coachworks.context import Context
from coachworks.digests import digest_bytes
from coachworks.errors import DataError, InvalidConfigError, NotFoundError, TransientError
from coachworks.models.manifest import Manifest, PackagedBackbone, PackagedHead
from coachworks.results import produce
from components.deploy.canary import smoke
from components.deploy.canary.smoke import smoke_test
from components.deploy.canary.smoke_photos import choose_photos

LABELS = ["front", "rear", "side"]
STEPS = ("split", "validate", "augment", "embed", "train")


def put_photo(store, number):
    data = f"photo {number}".encode()
    photo_id = digest_bytes(data)
    store.write(f"photos/{photo_id[:2]}/{photo_id}.jpg", data)
    return photo_id


def probabilities(answer, confidence):
    rest = (1 - confidence) / 2
    return [confidence if label == answer else rest for label in LABELS]


def put_evaluation(store, answers, heads):
    """Publish an evaluation: `answers` has (answer, its probability) of photo 0, 1, … for each skill; its key."""
    ids = [put_photo(store, number) for number in range(max(map(len, answers.values())))]

    def catalogue(folder):
        uris = [f"photos/{each[:2]}/{each}.jpg" for each in ids]
        table = {"photo_id": ids, "uri": uris, "filename": [f"{n}.jpg" for n in range(len(ids))]}
        pq.write_table(pa.table(table), folder / "catalogue.parquet")

    def link(step, inputs, report, build=lambda folder: None):
        def make(folder):
            build(folder)
            return report

        return produce(step, {**inputs, "of": [answers, heads]}, make, context=Context(store), code="test").key

    def predictions(folder):
        for skill, rows in answers.items():
            (folder / skill).mkdir()
            columns = {
                "photo_id": ids[: len(rows)],
                "set_id": [f"set-{n}" for n in range(len(rows))],
                "label": ["front"] * len(rows),
                "predicted": [answer for answer, _ in rows],
                "confidence": [confidence for _, confidence in rows],
                "probabilities": [probabilities(*row) for row in rows],
            }
            pq.write_table(pa.table(columns), folder / skill / "predictions.parquet")

    key, before = link("ingest", {}, {}, catalogue), "ingest"
    for step in STEPS:
        key, before = link(step, {before: key}, {}), step
    report = {"skills": {skill: {"head_digest": digest} for skill, digest in heads.items()}}
    return link("evaluate", {"train": key}, report, predictions)


def manifest_of(evaluate, heads):
    return Manifest(
        fleet="showroom",
        created_at="2026-03-01T10:00:00",
        backbone=PackagedBackbone(name="tiny", digest="b" * 64, sha256="c" * 64),
        skills={
            skill: PackagedHead(
                labels=LABELS, kind="linear", version="3", head_sha256=digest, provenance={"evaluate": evaluate}
            )
            for skill, digest in heads.items()
        },
    )


HEADS = {"view": "1" * 64, "light": "2" * 64}
ANSWERS = {
    "view": [*[("front", 0.9 + n / 100) for n in range(6)], ("rear", 0.7), ("rear", 0.8), ("side", 0.6)],
    "light": [("front", 0.99), ("rear", 0.98)],
}


@pytest.fixture
def evaluated(store):
    return manifest_of(put_evaluation(store, ANSWERS, HEADS), HEADS)


# choosing


def test_photos_are_spread_over_the_answers_and_the_clearest_come_first(store, evaluated):
    chosen = choose_photos(store, evaluated, 5)
    assert [(photo.label, round(photo.probability, 6)) for photo in chosen["view"]] == [
        ("front", 0.95),
        ("rear", 0.8),
        ("side", 0.6),
        ("front", 0.94),
        ("rear", 0.7),
    ]
    first = chosen["view"][0]
    assert store.read(first.uri) == b"photo 5"
    assert (first.skill, first.photo_id) == ("view", digest_bytes(b"photo 5"))
    assert chosen == choose_photos(store, evaluated, 5)


def test_a_skill_with_fewer_photos_takes_what_there_is(store, evaluated):
    chosen = choose_photos(store, evaluated, 100)
    assert {skill: len(photos) for skill, photos in chosen.items()} == {"view": 9, "light": 2}


def test_photos_that_are_gone_are_passed_over(store, evaluated):
    gone = choose_photos(store, evaluated, 1)["view"][0]
    store.remove(gone.uri)
    [photo] = choose_photos(store, evaluated, 1)["view"]
    assert (photo.label, photo.probability) == ("rear", 0.8)


def test_close_calls_are_left_out_unless_there_is_nothing_else(store):
    answers = {"view": [("front", 0.36), ("rear", 0.6)], "light": [("front", 0.34), ("rear", 0.35)]}
    chosen = choose_photos(store, manifest_of(put_evaluation(store, answers, HEADS), HEADS), 5)
    assert [photo.label for photo in chosen["view"]] == ["rear"]
    assert sorted(photo.label for photo in chosen["light"]) == ["front", "rear"]


@pytest.mark.parametrize("key", ["e" * 32, "", None])
def test_an_evaluation_that_is_gone_is_no_reason_to_pass(store, key):
    with pytest.raises(
        NotFoundError, match=r"smoke test of 'view' needs the answers .* of version 3, .*`coachworks run`"
    ):
        choose_photos(store, manifest_of(key, HEADS), 5)


def test_answers_that_are_gone_from_an_evaluation_are_no_reason_to_pass(store, evaluated):
    key = evaluated.skills["view"].provenance["evaluate"]
    (store.root / "results" / "evaluate" / key / "view" / "predictions.parquet").unlink()
    with pytest.raises(DataError, match=rf"'results/evaluate/{key}/view/predictions.parquet' .* it is missing"):
        choose_photos(store, evaluated, 5)


def test_the_answers_of_another_head_are_refused(store, evaluated):
    other = manifest_of(evaluated.skills["view"].provenance["evaluate"], {**HEADS, "view": "9" * 64})
    with pytest.raises(DataError, match="must be that of the head 999999999999, version 3; it judged 111111111111"):
        choose_photos(store, other, 5)


def test_photos_that_are_all_gone_are_no_reason_to_pass(store, evaluated):
    for photo in choose_photos(store, evaluated, 100)["light"]:
        store.remove(photo.uri)
    with pytest.raises(NotFoundError, match=r"'light' needs .*none of the photos that it was evaluated on is left"):
        choose_photos(store, evaluated, 5)


def test_no_photo_at_all_is_refused(store, evaluated):
    with pytest.raises(InvalidConfigError, match="per_skill must be at least 1; got 0"):
        choose_photos(store, evaluated, 0)


# asking


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    seconds: float = 0.25


@dataclass
class Pod:
    """A pod that answers as recorded, but for what a test changes of it."""

    photos: dict[str, Any]
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(HEADS, "3"))
    changes: dict[str, Any] = field(default_factory=dict)
    trouble: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def request(self, method, path, body=None, headers=None):
        self.asked.append((method, path))
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        if path == "/v1/skills":
            cards = {skill: {"model_version": version} for skill, version in self.versions.items()}
            return Said(200, json.dumps({"fleet": "showroom", "skills": cards}).encode())
        assert headers["Content-Type"] == "application/octet-stream"
        photo_id, skills = digest_bytes(body), path.partition("?skills=")[2].split("%2C")
        answers = {}
        for skill in skills:
            [photo] = [each for each in self.photos[skill] if each.photo_id == photo_id]
            answer = {"label": photo.label, "probability": photo.probability, "model_version": self.versions[skill]}
            answers[skill] = {**answer, **self.changes.get(skill, {})}
        return Said(200, json.dumps({"fleet": "showroom", "answers": answers}).encode())


@pytest.fixture
def photos(store, evaluated):
    return choose_photos(store, evaluated, 3)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(smoke, "_PAUSE_S", 0)


def test_a_pod_that_answers_as_recorded_passes(store, evaluated, photos):
    pod = Pod(photos)
    report = smoke_test(pod, photos, store, evaluated)
    assert report.passed
    assert (report.asked, report.failures, report.slowest_s) == (5, (), 0.25)
    assert pod.asked[0] == ("GET", "/v1/skills")
    predicted = [path for method, path in pod.asked if method == "POST"]
    assert len(predicted) == len({photo.photo_id for chosen in photos.values() for photo in chosen})


def test_a_photo_of_several_skills_is_sent_once(store, evaluated):
    photos = choose_photos(store, evaluated, 100)
    pod = Pod(photos)
    assert smoke_test(pod, photos, store, evaluated).asked == 11
    assert len(pod.asked) == 1 + 9
    assert any(path.endswith("=view%2Clight") for _, path in pod.asked)


def test_little_is_tolerated_of_the_probability(store, evaluated, photos):
    pod = Pod(photos, changes={"view": {"probability": photos["view"][0].probability - 0.019}})
    only = {"view": photos["view"][:1], "light": photos["light"]}
    assert smoke_test(pod, only, store, evaluated).passed
    pod.changes["view"]["probability"] -= 0.002
    [failure] = smoke_test(pod, only, store, evaluated).failures
    assert f"view: photo {photos['view'][0].photo_id[:12]} must get 'front' (0.950); it gets 'front' (0.929" in failure


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "roof"}, r"must get 'front' \(0\.950\); it gets 'roof'"),
        ({"probability": None}, r"must get 'front' \(0\.950\); it gets 'front' \(None\)"),
        ({"probability": float("nan")}, r"it gets 'front' \(nan\)"),
        ({"model_version": "2"}, "is answered by version 2; the release names 3"),
    ],
)
def test_an_answer_that_differs_from_the_recorded_one_is_a_failure(store, evaluated, photos, change, message):
    report = smoke_test(Pod(photos, changes={"view": change}), photos, store, evaluated)
    assert not report.passed
    assert len(report.failures) == 3
    assert pytest.raises(AssertionError, match=message).matches(AssertionError(report.failures[0]))


def test_the_versions_of_a_pod_are_compared_with_those_of_the_release(store, evaluated, photos):
    pod = Pod(photos, versions={"view": "4", "light": "3", "extra": "1"})
    failures = smoke_test(pod, photos, store, evaluated).failures
    assert "view: the pod serves version 4; the release names 3" in failures
    assert "extra: the pod serves it, and the release does not name it" in failures
    pod.versions = {"view": "3"}
    failures = smoke_test(pod, {**photos, "light": []}, store, evaluated).failures
    assert "light: the pod does not serve it; it serves view" in failures
    assert "light: there is no photo to send" in failures


def test_skills_of_another_group_of_pods_are_not_asked(store, evaluated, photos):
    alone = manifest_of(evaluated.skills["view"].provenance["evaluate"], {"view": HEADS["view"]})
    pod = Pod(photos, versions={"view": "3"})
    report = smoke_test(pod, photos, store, alone)
    assert (report.passed, report.asked) == (True, 3)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Said(500, b'{"error": {"code": "internal", "message": "the service failed"}}'), "500: the service failed"),
        (Said(200, b"<html>hello</html>"), "200: <html>hello</html>"),
        (Said(200, b'{"answers": [1]}'), "200: "),
        (Said(404, b"\xff"), "404: "),
    ],
)
def test_a_reply_of_another_kind_is_told(store, evaluated, photos, reply, message):
    only = {"view": photos["view"][:1], "light": photos["light"][:1]}
    pod = Pod(only)
    versions = pod.request("GET", "/v1/skills")
    pod.trouble = [versions, reply]
    failures = smoke_test(pod, only, store, evaluated).failures
    assert len(failures) == 1
    assert f"the pod answered {message}" in failures[0]
    assert failures[0].startswith("view: photo ")


def test_a_list_of_skills_of_another_kind_is_told(store, evaluated, photos):
    report = smoke_test(Pod(photos, trouble=[Said(404, b"nothing here")]), photos, store, evaluated)
    assert report.failures == ("/v1/skills: the pod answered 404: nothing here",)


@pytest.mark.parametrize("trouble", [TransientError("connection reset"), Said(503, b"{}")])
def test_a_pod_is_asked_three_times(store, evaluated, photos, trouble):
    assert smoke_test(Pod(photos, trouble=[trouble] * 2), photos, store, evaluated).passed
    report = smoke_test(Pod(photos, trouble=[trouble] * 3), photos, store, evaluated)
    assert not report.passed


def test_a_pod_that_gives_no_answer_is_not_asked_on(store, evaluated, photos):
    pod = Pod(photos, trouble=[TransientError("connection refused")] * 99)
    report = smoke_test(pod, photos, store, evaluated)
    assert (report.asked, report.failures) == (0, ("the pod does not answer: connection refused",))
    assert len(pod.asked) == 3


def test_a_damaged_photo_is_the_store_s_fault(store, evaluated, photos):
    store.write(photos["view"][0].uri, b"damaged")
    with pytest.raises(DataError, match=r"'photos/.*' of the store .* is damaged: its SHA-256 must"):
        smoke_test(Pod(photos), photos, store, evaluated)
