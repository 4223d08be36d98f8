"""The network of a skill: its structure, found from the backbone's, and its conversion to a head."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_transformers import TRANSFORMERS, saved

from coachworks.errors import DataError, InvalidConfigError
from coachworks.feature_groups import ACTIVATION, LAST, MEAN
from coachworks.models.head import Head, load_head
from components.embed.backbones import find_backbone
from components.embed.cut import find_cut
from components.embed.grouped import grouped
from components.embed.source import Source
from components.train.fine_tune.export import head_arrays
from components.train.fine_tune.network import build_network, trained_parameters
from components.train.fine_tune.start import Start, start_from

BACKBONES = [pytest.param("efficientnet-lite0", marks=pytest.mark.slow), *TRANSFORMERS]


def backbone(name: str, folder: Path) -> Source:
    return find_backbone(name if name not in TRANSFORMERS else str(saved(name, folder)))


def described(source: Source, groups: tuple[str, ...], photos: int = 3) -> tuple[dict[str, Any], dict[str, int]]:
    """Features of random photos by group, and the numbers per photo of each."""
    import torch

    network = grouped(source, groups)
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((photos, 3, source.input_px, source.input_px)).astype(np.float32)
    with torch.inference_mode():
        values = network(torch.from_numpy(pixels))
    return {group: each.numpy() for group, each in zip(network.groups, values, strict=True)}, dict(network.sizes)


def linear_head(sizes: dict[str, int], groups: tuple[str, ...], labels: int = 4) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    numbers = sum(sizes[group] for group in groups)
    weight = (rng.standard_normal((labels, numbers)) / np.sqrt(numbers)).astype(np.float32)
    return {"weight": weight, "bias": rng.standard_normal(labels).astype(np.float32)}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_untrained_network_answers_as_its_linear_head_and_so_does_its_graph(name: str, tmp_path: Path) -> None:
    import torch

    source, groups = backbone(name, tmp_path), (LAST, MEAN)
    features, sizes = described(source, (*groups, ACTIVATION))
    head = linear_head(sizes, groups)
    expected = np.concatenate([features[group] for group in groups], axis=1) @ head["weight"].T + head["bias"]
    start = start_from(head, groups, sizes)
    assert start.groups == (MEAN, ACTIVATION)
    network = build_network(source, start)
    read = np.concatenate([features[group] for group in start.groups], axis=1)
    with torch.inference_mode():
        np.testing.assert_allclose(network(torch.from_numpy(read)).numpy(), expected, atol=1e-4)
    fitted = Head(
        kind="fine-tune",
        labels=tuple("abcd"),
        arrays=head_arrays(network, read.shape[1]),
        backbone_digest=source.digest,
        parameters={"dimensions": read.shape[1]},
        groups=start.groups,
    )
    fitted.save(tmp_path / "head.safetensors")
    np.testing.assert_allclose(load_head(tmp_path / "head.safetensors").logits(read), expected, atol=1e-4)


def test_the_last_quarter_of_the_blocks_is_trained_and_nothing_before_it() -> None:
    source = find_backbone("efficientnet-lite0")
    cut = find_cut(source, source.load())
    assert (cut.blocks, cut.first, cut.count, cut.shape) == ("network._blocks", 12, 16, (192, 7, 7))
    start = start_from(linear_head({LAST: 1280}, (LAST,)), (LAST,), {LAST: 1280})
    names = [name for name, _ in trained_parameters(build_network(source, start))]
    assert {"weight", "bias", "tail.module.network._conv_head.weight"} < set(names)
    assert not [name for name in names if "stem" in name or "_fc" in name]
    assert {name.split(".")[4] for name in names if "_blocks" in name} == {"0", "1", "2", "3"}


def test_a_backbone_without_blocks_is_refused_with_a_way_out() -> None:
    import torch

    flat = Source(
        name="flat",
        weights="w",
        load=lambda: torch.nn.Flatten(),
        input_px=8,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        resampling="bilinear",
    )
    message = "needs a backbone whose blocks run one after another; 'flat' has no such list of blocks. Remove"
    with pytest.raises(InvalidConfigError, match=message):
        grouped(flat, (LAST, ACTIVATION))


def test_a_graph_that_computes_something_else_is_refused() -> None:
    import torch

    class Unsteady(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features + (1.0 if torch.jit.is_tracing() else 0.0)  # type: ignore[no-untyped-call]

    with pytest.raises(DataError, match="fine-tuned network must compute the same as ONNX and with torch, within"):
        head_arrays(Unsteady().eval(), 4)


def test_a_head_without_weights_for_its_graph_is_refused(tmp_path: Path) -> None:
    import torch

    arrays = head_arrays(torch.nn.Linear(300, 3).eval(), 300)
    assert {"graph", "weight.weight"} <= set(arrays) or any(name.startswith("weight.") for name in arrays)
    whole: dict[str, Any] = {"kind": "fine-tune", "labels": tuple("abc"), "backbone_digest": "b" * 64}
    bare = Head(**whole, arrays={"graph": arrays["graph"]}, parameters={"dimensions": 300}, groups=(ACTIVATION,))
    with pytest.raises(DataError, match="graph of a fine-tune head must load in ONNX Runtime"):
        bare.logits(np.zeros((1, 300), np.float32))
    with pytest.raises(DataError, match="dimensions of a fine-tune head must be a positive number; got None"):
        Head(**whole, arrays=arrays, groups=(ACTIVATION,))
    spoilt = {name: array * np.nan if array.dtype == np.float32 else array for name, array in arrays.items()}
    with pytest.raises(DataError, match="of a fine-tune head must be float32 and finite"):
        Head(**whole, arrays=spoilt, parameters={"dimensions": 300}, groups=(ACTIVATION,))


def test_a_start_holds_what_the_frozen_part_adds() -> None:
    sizes = {LAST: 2, MEAN: 3}
    head = {"weight": np.arange(10, dtype=np.float32).reshape(2, 5), "bias": np.ones(2, np.float32)}
    start = start_from(head, (LAST, MEAN), sizes)
    assert isinstance(start, Start)
    np.testing.assert_array_equal(start.weight, [[0, 1], [5, 6]])
    np.testing.assert_array_equal(start.frozen_weight, [[2, 3, 4], [7, 8, 9]])
