from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Thread

import numpy as np
import pytest

from coachworks.digests import digest_bytes
from coachworks.errors import DataError, NotFoundError
from coachworks.features import FeaturesMissingError, known_photos, load_features, view_folder, write_shard
from coachworks.store import FolderStore, Store


@dataclass(frozen=True)
class Source:
    space: str = "features/some"
    view_digest: str = "f" * 64
    group_sizes: Mapping[str, int] = field(default_factory=lambda: {"last": 4, "blocks-mean": 3})


DAMAGE = {
    "a flipped bit of a feature": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "zeros": lambda data: data[:-60].ljust(len(data), b"\0"),
    "a cut": lambda data: data[: len(data) // 2],
    "nothing left": lambda data: b"",
    "no header": lambda data: b"\0" * len(data),
}
IDS = [digest_bytes(bytes([n])) for n in range(10)]
ROWS = np.arange(40, dtype=np.float32).reshape(10, 4)
CLEAN = view_folder("features/some", "f" * 64, 0)


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path)


def test_features_come_in_the_order_asked_from_whatever_shard(store: FolderStore) -> None:
    write_shard(store, CLEAN, IDS[:6], ROWS[:6])
    write_shard(store, CLEAN, IDS[6:], ROWS[6:])
    order = [7, 0, 9, 0, 3]
    got = load_features(store, Source(), [IDS[i] for i in order], 0)
    assert got.dtype == np.float32
    assert np.array_equal(got, ROWS[order])
    assert known_photos(store, CLEAN) == set(IDS)


def test_ids_are_read_without_the_features(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(store, CLEAN, IDS, np.zeros((10, 5000), np.float32))
    read, sizes = store.read, []

    def counted(key: str, start: int = 0, length: int | None = None) -> bytes:
        data = read(key, start, length)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(store, "read", counted)
    assert known_photos(store, CLEAN) == set(IDS)
    assert sum(sizes) < 1000


def test_views_are_kept_apart_and_the_clean_one_belongs_to_no_policy(store: FolderStore) -> None:
    write_shard(store, CLEAN, IDS, ROWS)
    write_shard(store, view_folder("features/some", "f" * 64, 2), IDS, ROWS + 100)
    assert np.array_equal(load_features(store, Source(), IDS, 2), ROWS + 100)
    assert np.array_equal(load_features(store, Source(view_digest="e" * 64), IDS, 0), ROWS)
    with pytest.raises(NotFoundError, match="10 of 10 photos have no features in view 2"):
        load_features(store, Source(view_digest="e" * 64), IDS, 2)


def test_a_photo_without_features_is_named(store: FolderStore) -> None:
    write_shard(store, CLEAN, IDS[:3], ROWS[:3])
    with pytest.raises(NotFoundError, match=f"1 of 4 photos .* the first is {IDS[3]}. Run `coachworks embed` first"):
        load_features(store, Source(), IDS[:4], 0)


def test_no_photos_give_no_rows(store: FolderStore) -> None:
    assert load_features(store, Source(), [], 0).shape == (0, 4)


def test_two_writers_at_once_do_no_harm(store: FolderStore) -> None:
    writers = [
        Thread(target=write_shard, args=(store, CLEAN, IDS[a:b], ROWS[a:b])) for a, b in [(0, 7), (3, 10), (0, 7)]
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert np.array_equal(load_features(store, Source(), IDS, 0), ROWS)


def test_the_same_rows_twice_are_the_same_shard(store: FolderStore) -> None:
    assert write_shard(store, CLEAN, IDS, ROWS) == write_shard(store, CLEAN, IDS, ROWS)
    assert len(list(store.list(CLEAN))) == 1


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_shard_is_removed_so_that_its_photos_are_embedded_again(
    any_store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = write_shard(any_store, CLEAN, IDS[6:], ROWS[6:])
    key = write_shard(any_store, CLEAN, IDS[:6], ROWS[:6])
    any_store.write(key, DAMAGE[damage](any_store.read(key)))
    with pytest.raises(FeaturesMissingError, match=r"6 of 10 photos have no features in view 0"):
        load_features(any_store, Source(), IDS, 0)
    assert list(any_store.list("features")) == [healthy]
    assert f"the feature shard {key} of {any_store.uri} is damaged and is made again" in caplog.text
    assert write_shard(any_store, CLEAN, IDS[:6], ROWS[:6]) == key
    assert np.array_equal(load_features(any_store, Source(), IDS, 0), ROWS)


def test_a_shard_that_another_process_has_just_removed_counts_as_missing(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = write_shard(store, CLEAN, IDS, ROWS)
    monkeypatch.setattr(store, "list", lambda prefix: iter([key, f"{CLEAN}/{'0' * 32}.safetensors"]))
    assert np.array_equal(load_features(store, Source(), IDS, 0), ROWS)


def test_features_that_are_no_numbers_are_never_cached(store: FolderStore) -> None:
    with pytest.raises(DataError, match="features must be finite; those of the photo"):
        write_shard(store, CLEAN, IDS, np.full((10, 4), np.nan, np.float32))
    with pytest.raises(DataError, match="9 rows for 10 photos"):
        write_shard(store, CLEAN, IDS, ROWS[:9])


def test_features_come_in_the_order_asked_from_many_shards(store: FolderStore) -> None:
    rng = np.random.default_rng(0)
    ids = [digest_bytes(n.to_bytes(4, "big")) for n in range(2_000)]
    written = [rng.random((400, 1280), np.float32) for _ in range(5)]
    for number, rows in enumerate(written):
        write_shard(store, CLEAN, ids[400 * number : 400 * (number + 1)], rows)
    loaded = load_features(store, Source(group_sizes={"last": 1280}), ids[::-1], 0)
    np.testing.assert_array_equal(loaded, np.concatenate(written)[::-1])


def test_each_group_has_shards_of_its_own(store: FolderStore) -> None:
    blocks = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float16)
    write_shard(store, CLEAN, IDS, ROWS)
    written = write_shard(store, view_folder("features/some", "f" * 64, 0, "blocks-mean"), IDS, blocks)
    assert written.startswith("features/some/clean.blocks-mean/")
    assert np.array_equal(load_features(store, Source(), IDS, 0), ROWS)
    both = load_features(store, Source(), IDS[::-1], 0, ("last", "blocks-mean"))
    assert both.dtype == np.float32
    assert np.array_equal(both, np.concatenate([ROWS, blocks], axis=1)[::-1])


def test_bytes_of_groups_that_nobody_asks_for_are_not_read(store: FolderStore) -> None:
    write_shard(store, CLEAN, IDS, ROWS)
    other = write_shard(store, view_folder("features/some", "f" * 64, 0, "blocks-mean"), IDS, ROWS[:, :3])
    store.write(other, b"damaged")
    assert np.array_equal(load_features(store, Source(), IDS, 0), ROWS)
    with pytest.raises(FeaturesMissingError, match="10 of 10 photos have no features in view 0"):
        load_features(store, Source(), IDS, 0, ("blocks-mean",))
    with pytest.raises(DataError, match=r"must be among last, blocks-mean, .* got blocks-std\. Embed the"):
        load_features(store, Source(), IDS, 0, ("blocks-std",))
