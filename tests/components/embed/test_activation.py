"""The activation at the cut: kept where a skill asks for fine-tuning, and nowhere else."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from small_transformers import saved

from coachworks.context import open_context
from coachworks.feature_groups import ACTIVATION, LAST
from coachworks.features import load_features
from coachworks.models.preprocess import features_input
from coachworks.result import Result
from coachworks.store import FolderStore
from components.augment.step import augment
from components.embed.backbones import find_backbone, stored_backbone
from components.embed.config import EmbedConfig
from components.embed.grouped import chosen_groups, grouped, with_activation
from components.embed.report import EmbedReport
from components.embed.step import embed


@pytest.fixture
def embedded(store: FolderStore, upstream: ModuleType, tmp_path: Path) -> Callable[..., Result[EmbedReport]]:
    """Embed six photos with a small backbone, for a skill with these candidates."""
    backbone = str(saved("resnet", tmp_path))
    validated = upstream.validated(store, upstream.photos(store, range(6)))

    def run(*candidates: str) -> Result[EmbedReport]:
        fleet = upstream.fleet(store, backbone=backbone, defaults={"candidates": list(candidates)})
        config = EmbedConfig(workers=1)
        return embed(fleet, augment(fleet, validated).key, config=config, context=open_context(fleet))

    return run


@pytest.mark.slow
def test_activations_are_kept_in_half_precision_for_every_view_once_a_skill_asks_for_fine_tuning(
    embedded: Callable[..., Result[EmbedReport]], store: FolderStore, tmp_path: Path
) -> None:
    import torch

    plain = embedded("linear").report
    assert ACTIVATION not in plain.group_sizes
    assert not [key for key in store.list("features") if ACTIVATION in key]
    report = embedded("linear", "fine-tune").report
    assert {**plain.group_sizes, ACTIVATION: report.group_sizes[ACTIVATION]} == dict(report.group_sizes)
    assert report.space != plain.space
    folders = {key.split("/")[2] for key in store.list("features") if ACTIVATION in key}
    assert len(folders) == 1 + report.views
    assert report.study is not None  # its own photos have none
    photo = next(iter(store.list("photos")))
    source = find_backbone(str(tmp_path / "resnet"))
    spec = stored_backbone(store, source, f"auto,{ACTIVATION}")
    with torch.inference_mode():
        pixels = torch.from_numpy(features_input(store.read(photo), spec)[None])
        expected = grouped(source, (LAST, ACTIVATION))(pixels)[1].numpy()
    got = load_features(store, report, [Path(photo).stem], 0, (ACTIVATION,))
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_a_setting_may_ask_for_the_activation_beside_other_groups() -> None:
    sizes = {LAST: 8, "blocks-mean": 8, ACTIVATION: 99}
    assert chosen_groups("small", sizes, f"auto,{ACTIVATION}") == (LAST, "blocks-mean", ACTIVATION)
    assert chosen_groups("small", sizes, f"last,{ACTIVATION}") == (LAST, ACTIVATION)
    assert chosen_groups("small", sizes, ACTIVATION) == (LAST, ACTIVATION)
    assert with_activation(f"all,{ACTIVATION}")
    assert not with_activation("all")
