from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_transformers import TRANSFORMERS, saved

from coachworks.errors import DataError, InvalidConfigError
from coachworks.feature_groups import CELLS, CLASS, LAST, MEAN, STD
from coachworks.models.backbone import fetch_onnx, read_backbone
from coachworks.models.session import open_session, run_session
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, ensure_trimmed, find_backbone
from components.embed.config import EmbedConfig
from components.embed.conversion import convert
from components.embed.grouped import chosen_groups, grouped, stored_bytes
from components.embed.source import Source

LITE0 = {LAST: 1280, MEAN: 1808, STD: 1808, CELLS: 7232}


def photos(px: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 3, px, px)).astype(np.float32)


def statistics(maps: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, deviation and quarters of maps (N, C, H, W), by plain NumPy."""
    rows, columns = maps.shape[2:]
    halves = [(slice(0, -(-side // 2)), slice(side // 2, side)) for side in (rows, columns)]
    cells = [maps[:, :, top, left].mean((2, 3)) for top in halves[0] for left in halves[1]]
    return {
        MEAN: maps.mean((2, 3)),
        STD: maps.std((2, 3)),
        CELLS: np.stack(cells, axis=2).reshape(len(maps), -1),
    }


class Blocks:
    """A module of known outputs of its blocks."""

    def __init__(self, *outputs: np.ndarray, patch_tokens: int = 0) -> None:
        self.outputs, self.patch_tokens = outputs, patch_tokens

    def load(self) -> Any:
        import torch

        blocks = self

        class Module(torch.nn.Module):
            patch_tokens = blocks.patch_tokens

            def with_blocks(self, photos: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
                return photos.mean((2, 3)), [torch.from_numpy(each) for each in blocks.outputs]

        return Module()


def source(load: Callable[[], Any], px: int = 8) -> Source:
    return Source(
        name="drawn", weights="w", load=load, input_px=px, mean=(0, 0, 0), std=(1, 1, 1), resampling="bilinear"
    )


def test_groups_are_the_statistics_of_every_blocks_map() -> None:
    import torch

    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(2, c, s, s)).astype(np.float32) for c, s in ((3, 16), (5, 7), (2, 12))]
    network = grouped(source(Blocks(*blocks).load))
    assert network.sizes == {LAST: 3, MEAN: 10, STD: 10, CELLS: 40}
    got = dict(zip(network.groups, network(torch.from_numpy(photos(8))), strict=True))
    for group in (MEAN, STD, CELLS):
        expected = np.concatenate([statistics(each)[group] for each in blocks], axis=1)
        np.testing.assert_allclose(got[group].numpy(), expected, atol=1e-6)


def test_tokens_of_patches_are_a_map_and_the_first_of_the_others_is_the_class() -> None:
    import torch

    tokens = np.random.default_rng(0).normal(size=(2, 1 + 4 + 9, 6)).astype(np.float32)  # with four registers
    network = grouped(source(Blocks(tokens, patch_tokens=9).load))
    got = dict(zip(network.groups, network(torch.from_numpy(photos(8))), strict=True))
    maps = tokens[:, 5:].transpose(0, 2, 1).reshape(2, 6, 3, 3)
    np.testing.assert_allclose(got[CLASS].numpy(), tokens[:, 0])
    for group, expected in statistics(maps).items():
        np.testing.assert_allclose(got[group].numpy(), expected, atol=1e-6)


def test_tokens_that_form_no_square_have_no_cells() -> None:
    network = grouped(source(Blocks(np.ones((2, 7, 6), np.float32)).load))
    assert network.sizes == {LAST: 3, MEAN: 6, STD: 6}


def test_a_module_without_blocks_has_its_last_layer_only() -> None:
    import torch

    assert grouped(source(lambda: torch.nn.Sequential(torch.nn.Flatten()))).sizes == {LAST: 192}
    with pytest.raises(DataError, match="feature groups of the backbone 'drawn' are last; got blocks-mean"):
        grouped(source(lambda: torch.nn.Flatten()), (LAST, MEAN))


def test_the_default_backbone_gives_all_groups_within_30_kilobytes(converted: FolderStore) -> None:
    spec = ensure_backbone(converted, find_backbone("efficientnet-lite0"))
    assert dict(spec.group_sizes) == LITE0
    assert stored_bytes(spec.group_sizes) == 26_816


def test_all_groups_of_the_default_backbone_are_those_of_torch(converted: FolderStore) -> None:
    import torch

    backbone = find_backbone("efficientnet-lite0")
    spec = ensure_backbone(converted, backbone)
    got = run_session(open_session(fetch_onnx(converted, spec), 1), photos(224), tuple(spec.group_sizes))
    with torch.inference_mode():
        expected = torch.cat(grouped(backbone)(torch.from_numpy(photos(224))), 1).numpy()
    assert np.abs(got - expected).max() < 1e-4


@pytest.mark.parametrize("groups", [(LAST,), (LAST, MEAN), (LAST, MEAN, STD)], ids=len)
def test_a_graph_cut_down_to_some_groups_gives_the_same_numbers_and_nothing_else(
    store: FolderStore, groups: tuple[str, ...]
) -> None:
    whole = ensure_backbone(store, find_backbone("efficientnet-lite0"))
    spec = ensure_trimmed(store, whole.digest, groups)
    assert read_backbone(store, whole.digest, groups) == spec
    assert (spec.digest, tuple(spec.group_sizes), spec.dimensions) == (whole.digest, groups, 1280)
    assert spec.feature_space != whole.feature_space
    session, entire = (open_session(fetch_onnx(store, each), 1) for each in (spec, whole))
    assert len(session.get_outputs()) == len(groups)
    expected = run_session(entire, photos(224), groups)
    np.testing.assert_allclose(run_session(session, photos(224), groups), expected, atol=1e-6)


def test_a_backbone_that_an_earlier_version_converted_goes_on_for_heads_that_read_the_last_layer(
    store: FolderStore,
) -> None:
    whole = ensure_backbone(store, find_backbone("efficientnet-lite0"))
    last = ensure_trimmed(store, whole.digest, (LAST,))
    assert last.graph == whole.digest
    assert "groups" not in last.to_json()
    assert "file_name" not in last.to_json()
    store.remove(f"backbones/{whole.graph}.json")
    assert read_backbone(store, whole.digest) == last


def test_a_backbone_keeps_as_many_groups_as_fit_unless_told_otherwise() -> None:
    wide = {LAST: 768, CLASS: 9216, MEAN: 9216, STD: 9216, CELLS: 36_864}
    assert chosen_groups("vit", wide, "auto") == (LAST, CLASS)
    assert chosen_groups("vit", {LAST: 768}, "auto") == (LAST,)
    assert chosen_groups("vit", wide, "all") == tuple(wide)
    assert chosen_groups("vit", wide, "blocks-std, blocks-mean") == (LAST, MEAN, STD)
    message = "must be among last, blocks-mean, which the backbone 'vit' has, or auto, or all; got 'blocks-std'"
    with pytest.raises(InvalidConfigError, match=message):
        chosen_groups("vit", {LAST: 1, MEAN: 1}, "last,blocks-std")


def test_an_unknown_group_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(
        InvalidConfigError, match=r"feature_groups must be auto, all, or names among last, .*; got 'last,blocks'"
    ):
        EmbedConfig(feature_groups="last,blocks")


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_groups_are_found_from_the_structure_of_a_transformers_model(name: str, tmp_path: Path) -> None:
    sizes = grouped(find_backbone(str(saved(name, tmp_path)))).sizes
    assert set(sizes) == {LAST, *TRANSFORMERS[name][2]}
    assert sizes[STD] <= sizes[MEAN]
    assert sizes[CELLS] <= 4 * sizes[MEAN]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_all_groups_of_a_transformers_model_are_those_of_torch(name: str, tmp_path: Path) -> None:
    import torch

    backbone = find_backbone(str(saved(name, tmp_path)))
    onnx, sizes = convert(backbone)
    with torch.inference_mode():
        expected = torch.cat(grouped(backbone)(torch.from_numpy(photos(32, 3))), 1).numpy()
    got = run_session(open_session(onnx, 1), photos(32, 3), tuple(sizes))
    assert np.abs(got - expected).max() < 1e-4
