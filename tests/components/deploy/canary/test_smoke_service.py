"""Smoke test and soak metrics against the service itself, in this process."""

import time
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from coachworks.context import Context
from coachworks.digests import digest_bytes
from coachworks.results import produce
from components.deploy.canary.metrics import CanaryLimits, compare_tracks, read_metrics
from components.deploy.canary.smoke import smoke_test
from components.deploy.canary.smoke_photos import choose_photos
from components.package.config import PackageConfig
from components.package.step import package
from serving.app import create_app
from serving.bundle import load_bundle
from serving.predictor import Predictor

STEPS = ("split", "validate", "augment", "embed", "train")


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    seconds: float


class Talk:
    """A client of a service in this process."""

    def __init__(self, client):
        self._client = client

    def request(self, method, path, body=None, headers=None):
        started = time.perf_counter()
        response = self._client.request(method, path, content=body, headers=headers)
        return Said(response.status_code, response.content, time.perf_counter() - started)


@pytest.fixture(scope="module")
def bundle(fabricated, tmp_path_factory):
    fleet, store, register = fabricated.fabricate(tmp_path_factory.mktemp("fleet"))
    folder = package(fleet, [register], config=PackageConfig(build_bento=False)).path / "bundle"
    return store, load_bundle(folder)


@pytest.fixture(scope="module")
def evaluated(bundle, fabricated):
    """The store, and the manifest of models that were evaluated on drawn photos: they say so."""
    store, loaded = bundle
    shades = [(r, g, b) for r in (20, 120, 220) for g in (30, 130, 230) for b in (10, 110, 210)]
    data = [fabricated.photo(shade) for shade in shades]
    ids = [digest_bytes(each) for each in data]
    uris = [f"photos/{each[:2]}/{each}.jpg" for each in ids]
    for uri, each in zip(uris, data, strict=True):
        store.write(uri, each)
    answers = Predictor(loaded).answer(data, probabilities=True)

    def link(step, inputs, report, build=lambda folder: None):
        def make(folder):
            build(folder)
            return report

        return produce(step, inputs, make, context=Context(store), code="test").key

    def predictions(folder):
        for skill, packaged in loaded.skills.items():
            own = [answer[skill] for answer in answers]
            columns = {
                "photo_id": ids,
                "predicted": [answer.label for answer in own],
                "confidence": [answer.probability for answer in own],
                "probabilities": [[answer.probabilities[label] for label in packaged.head.labels] for answer in own],
            }
            (folder / skill).mkdir()
            pq.write_table(pa.table(columns), folder / skill / "predictions.parquet")

    catalogue = pa.table({"photo_id": ids, "uri": uris})
    key, before = (
        link("ingest", {}, {}, lambda folder: pq.write_table(catalogue, folder / "catalogue.parquet")),
        "ingest",
    )
    for step in STEPS:
        key, before = link(step, {before: key}, {}), step
    heads = {skill: {"head_digest": packaged.entry.head_sha256} for skill, packaged in loaded.skills.items()}
    evaluate = link("evaluate", {"train": key}, {"skills": heads}, predictions)
    skills = {
        skill: packaged.entry.model_copy(update={"provenance": {"evaluate": evaluate}})
        for skill, packaged in loaded.skills.items()
    }
    manifest = package_manifest(store).model_copy(update={"skills": skills})
    return store, manifest


def package_manifest(store):
    from coachworks.models.manifest import read_manifest
    from coachworks.results import latest, load

    return read_manifest(load(store, "package", latest(store, "package")).path / "bundle")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(lambda: Predictor(bundle[1]))) as client:
        deadline = time.monotonic() + 20
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield client


def test_the_service_passes_with_the_models_that_were_evaluated(client, evaluated):
    store, manifest = evaluated
    photos = choose_photos(store, manifest, 4)
    assert {skill: len(chosen) for skill, chosen in photos.items()} == {"colour": 4, "light": 4}
    before = read_metrics(client.get("/metrics").text)
    report = smoke_test(Talk(client), photos, store, manifest)
    assert report.failures == ()
    assert (report.passed, report.asked) == (True, 8)
    counts = read_metrics(client.get("/metrics").text) - before
    sent = len({photo.photo_id for chosen in photos.values() for photo in chosen})
    assert (counts.requests, counts.errors, counts.within(float("inf"))) == (sent, 0, sent)
    assert counts.quantile(0.95) is not None
    assert compare_tracks(counts, counts, CanaryLimits()).ok


def test_the_service_fails_where_another_version_is_released(client, evaluated):
    store, manifest = evaluated
    photos = choose_photos(store, manifest, 4)
    newer = {**manifest.skills, "light": manifest.skills["light"].model_copy(update={"version": "4"})}
    failures = smoke_test(Talk(client), photos, store, manifest.model_copy(update={"skills": newer})).failures
    assert failures[0] == "light: the pod serves version 3; the release names 4"
    assert len(failures) == 5
