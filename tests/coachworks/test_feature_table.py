"""Tables of features in memory and in files."""

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest

from coachworks import feature_table
from coachworks.feature_table import FeatureFile, Selected, blocks, new_table, side_by_side

ROWS = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)


@pytest.fixture
def in_file(tmp_path: Path) -> FeatureFile:
    """The rows in a file, written in two parts and out of order, as shards are."""
    table = FeatureFile(tmp_path, *ROWS.shape)
    order = np.random.default_rng(1).permutation(len(ROWS))
    for part in (order[:10], order[10:]):
        table[part.tolist()] = ROWS[part]
    return table


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(3, 9),
        slice(20, 99),
        slice(0, 0),
        slice(None, None, 4),
        np.array([5, 0, 5]),
        np.array([], int),
    ],
    ids=str,
)
def test_a_file_gives_the_rows_of_an_array(in_file: FeatureFile, rows: slice) -> None:
    assert np.array_equal(in_file[rows], ROWS[rows])
    assert in_file[rows].shape == ROWS[rows].shape
    assert in_file[rows].dtype == np.float32


def test_half_precision_is_written_as_single(tmp_path: Path) -> None:
    half = ROWS.astype(np.float16)
    table = FeatureFile(tmp_path, *ROWS.shape)
    table[range(23)] = half
    assert np.array_equal(table[:], half.astype(np.float32))


def test_blocks_cover_the_table_once_and_an_empty_table_is_one_empty_block(in_file: FeatureFile) -> None:
    read = list(blocks(in_file, 10))
    assert [len(block) for block in read] == [10, 10, 3]
    assert np.array_equal(np.concatenate(read), ROWS)
    assert [block.shape for block in blocks(ROWS[:0])] == [(0, 5)]


def test_tables_stand_side_by_side_and_rows_are_selected(in_file: FeatureFile) -> None:
    both = side_by_side([in_file, ROWS * 2])
    chosen = Selected(both, np.array([4, 22, 4]))
    assert (both.shape, chosen.shape) == ((23, 10), (3, 10))
    assert np.array_equal(chosen[1:], np.concatenate([ROWS, ROWS * 2], axis=1)[[22, 4]])
    assert side_by_side([ROWS]) is ROWS


def test_a_file_leaves_nothing_behind_and_closes_with_its_table(tmp_path: Path) -> None:
    table = FeatureFile(tmp_path, *ROWS.shape)
    assert not list(tmp_path.iterdir())
    file = table._file
    del table
    gc.collect()
    assert file.closed


def test_only_large_tables_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(new_table(tmp_path, 23, 5), np.ndarray)
    monkeypatch.setattr(feature_table, "IN_MEMORY_BYTES", 100)
    assert isinstance(new_table(tmp_path, 23, 5), FeatureFile)
    assert isinstance(new_table(tmp_path, 0, 5), np.ndarray)


def test_a_full_disk_is_reported_by_the_write(in_file: FeatureFile) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, in_file._file.fileno())
    os.close(full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        in_file[[0]] = ROWS[:1]
