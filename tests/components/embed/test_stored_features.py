"""Features read from the cache into memory or into a file."""

import errno
import os

import numpy as np
import pytest
from embedded_store import GOOD, PHOTOS, embedded, fleet_of, photo_id, write_features

from coachworks import feature_table
from coachworks.feature_table import FeatureFile
from coachworks.progress import SILENT
from coachworks.results import load
from coachworks.storage_failures import StorageError
from coachworks.store import FolderStore
from components.embed.report import EmbedReport
from components.embed.stored_features import read_features

GROUPS = ("last", "blocks-mean")
IDS = [photo_id(number) for number in (3, 0, 7, 3)]


@pytest.fixture
def read(store: FolderStore):
    write_features(store, range(PHOTOS), 9)
    result = load(store, EmbedReport, embedded(store, {"hard": GOOD, "good": GOOD}))
    return lambda: read_features(fleet_of(store), result, IDS, 0, groups=GROUPS, progress=SILENT)


def test_large_features_are_read_into_a_file_with_the_same_numbers(read, store, monkeypatch) -> None:
    in_memory = read()[:]
    monkeypatch.setattr(feature_table, "IN_MEMORY_BYTES", 0)
    table = read()
    assert all(isinstance(part, FeatureFile) for part in table.parts)
    assert np.array_equal(table[:], in_memory)
    assert np.array_equal(table[0:1], table[3:4])
    assert not list((store.root / "tmp").glob("*-*"))


def test_a_full_disk_of_temporary_files_is_reported_with_a_way_out(read, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(feature_table, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(FeatureFile, "__setitem__", full)
    with pytest.raises(StorageError, match=r"no space is left on its file system .* Free some space there, or name"):
        read()
