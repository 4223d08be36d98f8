"""Reductions of tables in blocks, against scikit-learn and plain NumPy in float64."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from coachworks import feature_table
from coachworks.feature_table import FeatureFile
from components.train import reduction
from components.train.feature_sets import FeatureSets
from components.train.reduction import fit_reduction, fit_wide_reduction, join


def drawn(photos: int, numbers: int, *, seed: int = 0) -> np.ndarray:
    """Correlated features, far from zero and of very different variances."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(photos, 12)) @ rng.normal(size=(12, numbers)) + rng.normal(size=(photos, numbers)) / 4
    return (points * rng.gamma(1, size=numbers) + 30).astype(np.float32)


def pareto(table: np.ndarray) -> np.ndarray:
    """The scaled features, from their definition."""
    centred = table.astype(np.float64) - table.mean(0, dtype=np.float64)
    scaled = centred / np.sqrt(centred.std(0))
    return scaled / np.sqrt((scaled**2).mean())


def in_file(folder: Path, table: np.ndarray) -> FeatureFile:
    file = FeatureFile(folder, *table.shape)
    file[range(len(table))] = table
    return file


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_table.blocks, "__defaults__", (64,))


def test_the_axes_are_those_of_a_pca_of_the_scaled_features(tmp_path: Path) -> None:
    table = drawn(300, 40)
    fitted = fit_reduction(in_file(tmp_path, table), 20)
    reference = PCA(20, svd_solver="full").fit(pareto(table))
    expected = reference.transform(pareto(table))
    np.testing.assert_allclose(fitted.variances, reference.explained_variance_ * 299 / 300, rtol=1e-5)
    assert fitted.explained == pytest.approx(reference.explained_variance_ratio_.sum(), abs=1e-6)
    points = fitted(in_file(tmp_path, table))
    np.testing.assert_allclose(points, expected * np.sign((points * expected).sum(0)), atol=2e-4)


def test_approximate_axes_are_those_of_a_pca_where_variances_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduction, "_FITTED_ROWS", 1000)
    table = drawn(300, 200)
    fitted = fit_wide_reduction(in_file(tmp_path, table), 10)
    expected = PCA(10, svd_solver="full").fit_transform(pareto(table))
    points = fitted(table)
    np.testing.assert_allclose(points, expected * np.sign((points * expected).sum(0)), atol=2e-3)


@pytest.mark.parametrize("fit", [fit_reduction, fit_wide_reduction])
def test_a_file_gives_the_bytes_of_an_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit) -> None:
    monkeypatch.setattr(reduction, "_FITTED_ROWS", 100)
    table = drawn(300, 40)
    one, other = fit(table, 15), fit(in_file(tmp_path, table), 15)
    assert one(table).tobytes() == other(in_file(tmp_path, table)).tobytes()
    assert (one.offset.tobytes(), one.explained) == (other.offset.tobytes(), other.explained)


def test_the_size_of_a_block_changes_rounding_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    table = drawn(300, 40)
    small = fit_reduction(table, 15)
    monkeypatch.setattr(feature_table.blocks, "__defaults__", (4096,))
    whole = fit_reduction(table, 15)
    np.testing.assert_allclose(small.projection, whole.projection, atol=1e-6)
    np.testing.assert_allclose(small.variances, whole.variances, rtol=1e-6)


def test_groups_are_joined_as_if_their_points_stood_in_one_table(tmp_path: Path) -> None:
    tables = {"last": drawn(200, 30), "blocks-mean": drawn(200, 50, seed=1)}

    def read(photo_ids, view, group):
        return in_file(tmp_path, tables[group][[int(name) for name in photo_ids]] + np.float32(view))

    ids = [str(number) for number in range(200)]
    sets = FeatureSets(read, ids[:150], ids[150:], tables, 25)
    parts = [fit_reduction(table[:150], 25) for table in tables.values()]
    scores = np.concatenate([part(table[:150]) for part, table in zip(parts, tables.values(), strict=True)], axis=1)
    expected, axes = join(parts, scores, 25)
    fitted = sets.fit(("last", "blocks-mean"))
    np.testing.assert_allclose(fitted.reduction.projection, expected.projection, atol=1e-6)
    np.testing.assert_allclose(fitted.train, scores @ axes, atol=1e-5)
    both = np.concatenate(list(tables.values()), axis=1)
    np.testing.assert_allclose(sets.views([fitted], 1)[fitted.groups][0], expected(both[:150] + 1), atol=1e-3)
