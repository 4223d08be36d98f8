"""A bundle with a fine-tuned head beside a linear one: one graph of the backbone, and the tail in the head."""

from typing import Any

import numpy as np
import pytest
from small_fleets import small_fleet
from small_transformers import saved

from coachworks.feature_groups import ACTIVATION, LAST
from coachworks.models.bundling import choose_content, read_heads, write_bundle
from coachworks.models.champions import HeadVersion
from coachworks.models.head import Head
from coachworks.models.session import open_session
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, ensure_trimmed, find_backbone
from components.embed.grouped import grouped
from components.train.fine_tune.export import head_arrays
from components.train.fine_tune.network import build_network
from components.train.fine_tune.start import start_from
from serving.bundle import load_bundle
from serving.predictor import Predictor

LABELS = ("no", "yes", "unclear")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, fabricated: Any) -> tuple[Any, Any, Any]:
    """The predictor of the bundle, the tuned network in torch, and the backbone."""
    import torch

    root = tmp_path_factory.mktemp("tuned")
    store, source = FolderStore(root / "store"), find_backbone(str(saved("resnet", root)))
    plain = ensure_backbone(store, source)
    spec = ensure_backbone(store, source, f"last,{ACTIVATION}")
    assert (tuple(spec.group_sizes), ACTIVATION in plain.group_sizes) == ((LAST, ACTIVATION), False)
    assert spec.feature_space != plain.feature_space
    sizes = spec.group_sizes
    rng = np.random.default_rng(0)
    arrays = {
        "weight": rng.normal(size=(3, sizes[LAST])).astype(np.float32),
        "bias": rng.normal(size=3).astype(np.float32),
    }
    network = build_network(source, start_from(arrays, (LAST,), sizes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.1)  # trained, it is no longer the backbone
    whole: dict[str, Any] = {"labels": LABELS, "backbone_digest": source.digest}
    heads = {
        "tuned": Head(
            kind="fine-tune",
            arrays=head_arrays(network, sizes[ACTIVATION]),
            parameters={"dimensions": sizes[ACTIVATION]},
            groups=(ACTIVATION,),
            temperature=2.0,
            **whole,
        ),
        "plain": Head(kind="linear", arrays=arrays, **whole),
    }
    versions = {
        skill: HeadVersion(version="1", head_digest=fabricated.put_head(store, skill, head, root))
        for skill, head in heads.items()
    }
    content = choose_content(read_heads(store, versions)[0])
    ensure_trimmed(store, content.backbone, content.groups)
    fleet = small_fleet({skill: {"labels": list(LABELS)} for skill in heads})
    write_bundle(store, fleet, content, root / "bundle")
    return Predictor(load_bundle(root / "bundle"), threads=1), network, source


def test_a_fine_tuned_skill_answers_from_the_same_pass_as_the_others(
    served: tuple[Any, Any, Any], fabricated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    import serving.predictor

    predictor, network, source = served
    outputs = open_session(predictor.bundle.backbone_path, 1).get_outputs()
    assert [output.name for output in outputs] == ["features", ACTIVATION]
    passes = []
    run = serving.predictor.run_session
    monkeypatch.setattr(serving.predictor, "run_session", lambda *arguments: passes.append(1) or run(*arguments))
    photos = [fabricated.photo((40 * i, 200 - 30 * i, 17 * i), size=(50 + i, 90)) for i in range(3)]
    answered = predictor.answer(photos, probabilities=True)
    assert len(passes) == 1
    pixels = torch.from_numpy(np.stack([predictor.prepare(photo) for photo in photos]))
    with torch.inference_mode():
        _, activations = grouped(source, (LAST, ACTIVATION))(pixels)
        tuned = torch.softmax(network(activations) / 2.0, 1).numpy()
    actual = [[answer["tuned"].probabilities[label] for label in LABELS] for answer in answered]
    np.testing.assert_allclose(actual, tuned, atol=1e-4)
    assert len({answer["plain"].probability for answer in answered}) == len(photos)
