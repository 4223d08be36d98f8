import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from coachworks.context import open_context
from coachworks.digests import digest_bytes
from coachworks.errors import CoachworksError, DamagedError, DataError, InvalidConfigError, TransientError
from coachworks.features import FeaturesMissingError, load_features
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import read_backbone, read_spec
from coachworks.models.keys import onnx_key
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from coachworks.result import Result
from coachworks.store import FolderStore
from components.augment.step import augment
from components.embed import cache_filling
from components.embed.config import EmbedConfig
from components.embed.pool import run_chunks
from components.embed.step import embed
from components.embed.stored_features import read_features
from components.embed.work import Job, Photo


def augmented_and_embedded(
    store: FolderStore, upstream: ModuleType, numbers, *, skills=("colour",), workers=1, context=None, **spec
) -> Result:
    fleet: Fleet = upstream.fleet(store, skills=skills, **spec)
    key = upstream.validated(store, upstream.photos(store, numbers), skills=skills)
    config = EmbedConfig(workers=workers)
    return embed(fleet, augment(fleet, key).key, config=config, context=open_context(fleet, **(context or {})))


@pytest.fixture
def run(store: FolderStore, upstream: ModuleType):
    """Runs augment and embed over photos of some numbers."""
    return partial(augmented_and_embedded, store, upstream)


@pytest.fixture(scope="module")
def ten_embedded(tmp_path_factory: pytest.TempPathFactory, converted: FolderStore, upstream: ModuleType) -> FolderStore:
    store = FolderStore(tmp_path_factory.mktemp("ten") / "store")
    shutil.copytree(converted.root / "backbones", store.root / "backbones")
    augmented_and_embedded(store, upstream, range(10))
    return store


@pytest.fixture
def ten(ten_embedded: FolderStore, store: FolderStore) -> None:
    """The store after a run over the photos 0 to 9."""
    shutil.copytree(ten_embedded.root, store.root, symlinks=True, dirs_exist_ok=True)


@pytest.mark.usefixtures("ten")
def test_every_photo_is_embedded_clean_and_training_photos_in_every_view(run, store, upstream) -> None:
    report = run(range(10)).report
    assert (report.photos, report.computed, report.reused) == (10, 7 * 3 + 3, 0)
    drawn = upstream.photos(store, range(10))
    clean = load_features(store, report, [p.photo_id for p in drawn], 0)
    train = [p.photo_id for p in drawn if p.split == "train"]
    views = [load_features(store, report, train, view) for view in (1, 2)]
    assert clean.shape == (10, report.dimensions)
    assert np.abs(views[0] - views[1]).max() > 0
    with pytest.raises(LookupError):
        load_features(store, report, [p.photo_id for p in drawn if p.split == "test"], 1)


def test_training_and_serving_see_the_same_numbers(run, store, upstream) -> None:
    report = run(range(6)).report
    spec = read_backbone(store, report.backbone_digest)
    session, groups = open_session(store.fetch(onnx_key(spec.graph)), threads=1), tuple(report.group_sizes)
    assert groups == ("last", "blocks-mean", "blocks-std", "blocks-cells")
    for photo in upstream.photos(store, range(6)):
        served = run_session(session, features_input(store.read(photo.key), spec)[None], groups)
        stored = load_features(store, report, [photo.photo_id], 0, groups)
        assert np.abs(served - stored)[:, :1280].max() < 1e-4
        np.testing.assert_allclose(stored, served, rtol=1e-3, atol=1e-4)  # float16 of all groups but the first


def test_any_number_of_processes_gives_the_same_features(run, store, upstream, monkeypatch) -> None:
    monkeypatch.setattr(cache_filling, "_ROWS_PER_WORKER", 1)
    ids = [p.photo_id for p in upstream.photos(store, range(7))]
    alone = run(range(7), workers=1).report
    expected = [load_features(store, alone, ids, view) for view in range(3)]
    for shard in list(store.list("features")):
        (store.root / shard).unlink()
    report = run(range(7), workers=2, context={"refresh": ["embed"]}).report
    assert report.workers == 2
    assert report.computed == 21
    for view in range(3):
        assert np.abs(load_features(store, report, ids, view) - expected[view]).max() < 1e-4


def test_a_gpu_gives_the_features_that_the_cpu_gives(run, store, upstream, monkeypatch) -> None:
    ids = [p.photo_id for p in upstream.photos(store, range(6))]
    expected = load_features(store, run(range(6)).report, ids, 1)
    for shard in list(store.list("features")):
        (store.root / shard).unlink()
    monkeypatch.setattr(
        cache_filling, "accelerator", lambda: ("cpu", "torch on the CPU")
    )  # the same code, no GPU needed
    report = run(range(6), context={"refresh": ["embed"]}).report
    assert (report.device, report.computed) == ("torch on the CPU", 18)
    assert np.abs(load_features(store, report, ids, 1) - expected).max() < 1e-4


@pytest.mark.usefixtures("ten")
def test_features_missing_from_the_cache_are_computed_again(run, store, upstream) -> None:
    first = run(range(10))
    shards = list(store.list("features"))
    (store.root / shards[0]).unlink()
    second = run(range(10))
    assert second.reused
    assert second.key == first.key
    for photo in upstream.photos(store, range(10)):
        for view in range(3 if photo.split == "train" else 1):
            load_features(store, second.report, [photo.photo_id], view)


@pytest.mark.usefixtures("ten")
def test_new_photos_cost_only_themselves(run) -> None:
    report = run(range(13)).report
    assert (report.photos, report.reused, report.computed) == (13, 24, 9)


@pytest.mark.usefixtures("ten")
def test_new_skills_labels_and_settings_cost_nothing(run, store, monkeypatch) -> None:
    monkeypatch.setattr(cache_filling, "run_chunks", None)  # nothing may be computed any more
    report = run(range(10), skills=("colour", "shape")).report
    assert (report.computed, report.reused, report.photos_per_second) == (0, 24, 0)
    assert run(range(10), skills=("colour", "shape"), workers=5).reused


@pytest.mark.usefixtures("ten")
def test_another_policy_costs_the_views_and_not_the_clean_photos(run) -> None:
    assert run(range(10), augment={"views": 3}).report.computed == 7
    assert run(range(10), augment={"seed": 1}).report.computed == 14


def test_no_photos_do_not_fail(store, upstream) -> None:
    fleet = upstream.fleet(store)
    key = upstream.validated(store, upstream.photos(store, range(4)), passed=False)
    report = embed(fleet, augment(fleet, key).key).report
    assert (report.photos, report.computed) == (0, 0)
    assert load_features(store, report, [], 0).shape == (0, 1280)


def test_a_reused_result_needs_no_heavy_library(run, store, upstream) -> None:
    result = run(range(3))
    code = (
        "import sys; from coachworks.fleet.model import Fleet; from components.embed.step import embed;"
        "r = embed(Fleet.from_json(sys.argv[1]), sys.argv[2]); assert r.reused;"
        "print(sorted({'torch','pandas','albumentations','onnxruntime','cv2','pyarrow'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, upstream.fleet(store).to_json(), result.inputs["augment"]]
    assert subprocess.check_output(command, text=True).strip() == "[]"


class Seen:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None, str]] = []
        self.notes: list[str] = []
        self.done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    @contextmanager
    def task(self, name: str, *, total: int | None, unit: str) -> Iterator["Seen"]:
        self.tasks.append((name, total, unit))
        yield self

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_progress_counts_photos(run) -> None:
    seen = Seen()
    run(range(10), context={"progress": seen})
    assert seen.tasks == [("embed", 10, "photos")]
    assert seen.done == 10
    assert any("0 of 24 features are cached already" in note for note in seen.notes)


SLOWLY = """
import sys
from coachworks.fleet.model import Fleet
from components.embed import cache_filling
from components.embed.config import EmbedConfig
from components.embed.step import embed
cache_filling._SHARD_ROWS, cache_filling._ROWS_PER_WORKER = 8, 1
embed(Fleet.from_json(sys.argv[1]), sys.argv[2], config=EmbedConfig(workers=2))
"""


def workers_of(parent: int) -> set[int]:
    pids = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            pids.add(int(status.parent.name))
    return pids


def running(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_a_killed_run_continues_where_it_was_and_leaves_no_process_behind(store, upstream) -> None:
    numbers = range(64)
    fleet = upstream.fleet(store, augment={"views": 0})
    key = augment(fleet, upstream.validated(store, upstream.photos(store, numbers))).key
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, fleet.to_json(), key])
    while not any(".blocks-cells/" in key for key in store.list("features")):  # the last group of a shard's photos
        assert process.poll() is None
        time.sleep(0.02)
    children = workers_of(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(children) == 2
    deadline = time.monotonic() + 20
    while running(children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(children)

    report = embed(fleet, key, config=EmbedConfig(workers=1)).report
    assert report.reused > 0
    assert report.computed > 0
    assert report.reused + report.computed == 64
    assert load_features(store, report, [p.photo_id for p in upstream.photos(store, numbers)], 0).shape == (64, 1280)


def test_a_damaged_photo_in_the_store_is_named(run, store, upstream, monkeypatch) -> None:
    photo = upstream.photos(store, range(1))[0]
    fleet = upstream.fleet(store, augment={"views": 0})
    key = augment(fleet, upstream.validated(store, upstream.photos(store, range(4)))).key
    monkeypatch.setattr(cache_filling, "_ROWS_PER_WORKER", 1)
    whole = store.read(photo.key)
    for workers in (1, 2):
        store.write(photo.key, whole[:-2] + b"\0\0")  # it can still be decoded
        with pytest.raises(DamagedError, match=rf"'{photo.key}' .* is damaged: .*`coachworks store verify --repair"):
            embed(fleet, key, config=EmbedConfig(workers=workers))
    assert list(store.list("features")) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_onnx_file_is_named_rather_than_taken_for_lack_of_memory(store, upstream, workers) -> None:
    spec = read_spec(store, next(store.list("backbones")).split("/")[1].split(".")[0])
    photo = upstream.photos(store, range(1))[0]
    chunks = [[Photo(photo.photo_id, photo.key, (0,))]]
    data = bytearray(store.read(onnx_key(spec.graph)))
    data[4_000_000:4_016_384] = bytes(16_384)
    store.write(onnx_key(spec.graph), bytes(data))
    job = Job(store=store.uri, spec=spec, computes=True, policy=None, batch_size=1, threads=1)
    with pytest.raises(DamagedError, match=r"'backbones/.*onnx' of the store .* is damaged: its SHA-256 must be"):
        list(run_chunks(job, chunks, workers=workers))
    store.write(onnx_key(spec.graph), b"no network")
    same = replace(job, spec=replace(spec, onnx_sha256=digest_bytes(b"no network")))
    with pytest.raises(DataError, match=r"ONNX Runtime 1\.\S+ cannot load the converted backbone efficientnet-lite0"):
        list(run_chunks(same, chunks, workers=workers))


def test_a_worker_that_fails_by_itself_is_not_taken_for_a_killed_one(store, upstream) -> None:
    spec = read_spec(store, next(store.list("backbones")).split("/")[1].split(".")[0])
    job = Job(store=store.uri, spec=spec, computes=True, policy=None, batch_size=0, threads=1)
    photo = upstream.photos(store, range(1))[0]
    with pytest.raises(CoachworksError, match="a worker process of embed ended with status 1; its error") as err:
        list(run_chunks(job, [[Photo(photo.photo_id, photo.key, (0,))]], workers=2))
    assert not isinstance(err.value, TransientError)


def test_damaged_shards_are_embedded_again_by_whoever_reads_them(run, store, upstream) -> None:
    fleet, embedded = upstream.fleet(store), run(range(10))
    drawn = upstream.photos(store, range(10))
    healthy = {key: store.read(key) for key in store.list("features")}
    expected = load_features(store, embedded.report, [p.photo_id for p in drawn], 0)
    for key, data in healthy.items():
        store.write(key, data[:-1] + bytes([data[-1] ^ 128]))
    seen = Seen()
    loaded = read_features(fleet, embedded, [p.photo_id for p in drawn], 0, progress=seen)
    np.testing.assert_allclose(loaded, expected, atol=1e-4)
    assert "embedding again: 10 of 10 photos have no features in view 0" in seen.notes[0]
    with pytest.raises(FeaturesMissingError, match="1 of 1 photos have no features in view 0"):
        read_features(fleet, embedded, ["f" * 64], 0, progress=seen)  # no photo of that run
    other = replace(embedded, report=replace(embedded.report, space="features/of-another-conversion"))
    with pytest.raises(DataError, match=r"converted again since\. `coachworks run --from embed` computes all of them"):
        read_features(fleet, other, [drawn[0].photo_id], 0, progress=seen)


def test_a_worker_that_dies_is_reported_and_what_is_done_is_kept(store, upstream, converted) -> None:
    digest = next(store.list("backbones")).split("/")[1].split(".")[0]
    job = Job(store=store.uri, spec=read_spec(store, digest), computes=True, policy=None, batch_size=1, threads=1)
    photo = upstream.photos(store, range(1))[0]
    chunks = [[Photo(photo.photo_id, photo.key, (0,))] for _ in range(200)]
    answers = run_chunks(job, chunks, workers=2)
    next(answers)
    os.kill(min(workers_of(os.getpid())), signal.SIGKILL)
    with pytest.raises(TransientError, match=r"was killed by signal 9; .*`coachworks embed --workers 1`"):
        list(answers)


def test_a_missing_backbone_stops_the_step_before_any_work(store, upstream) -> None:
    with pytest.raises(InvalidConfigError, match="must be an existing folder; got '/no/such/model'"):
        embed(upstream.fleet(store, backbone="/no/such/model"), "0" * 32)


def test_photos_that_lack_one_group_only_are_embedded_again(run, store, upstream) -> None:
    report = run(range(4)).report
    for shard in [key for key in store.list("features") if "/clean.blocks-std/" in key]:
        (store.root / shard).unlink()
    again = run(range(4)).report
    assert again == report  # the result is that of the first time
    ids = [p.photo_id for p in upstream.photos(store, range(4))]
    assert load_features(store, report, ids, 0, ("blocks-std",)).shape == (4, 1808)


def test_fewer_groups_are_kept_where_the_setting_says_so(store, upstream) -> None:
    fleet = upstream.fleet(store)
    key = augment(fleet, upstream.validated(store, upstream.photos(store, range(2)))).key
    report = embed(fleet, key, config=EmbedConfig(workers=1, feature_groups="last,blocks-mean")).report
    assert (dict(report.group_sizes), report.bytes_per_view) == ({"last": 1280, "blocks-mean": 1808}, 8736)
    assert {key.split("/")[2].partition(".")[2] for key in store.list("features")} == {"", "blocks-mean"}


@pytest.mark.parametrize(("setting", "value"), [("batch_size", 0), ("batch_size", 257), ("workers", -1)])
def test_settings_out_of_range_are_refused(setting: str, value: int) -> None:
    with pytest.raises(InvalidConfigError, match=f"{setting} must be an integer in"):
        EmbedConfig(**{setting: value})
