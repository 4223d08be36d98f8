import json
import shutil
from pathlib import Path

import pytest

from coachworks.store import FolderStore


@pytest.fixture
def store(store: FolderStore, converted: FolderStore) -> FolderStore:
    """A store that has nothing but the default backbone."""
    shutil.copytree(converted.root / "backbones", store.root / "backbones")
    return store


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models of random weights in the layout of transformers: two for vision, one for text."""
    import torch
    from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel, ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    models = {
        "resnet": ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")),
        "vit": ViTForImageClassification(ViTConfig(**small, image_size=32, patch_size=8)),
        "text": BertModel(BertConfig(**small, vocab_size=50)),
    }
    processor = {
        "do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, "resample": 3,
        "size": {"height": 32, "width": 32}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3],
    }  # fmt: skip
    for name, model in models.items():
        model.save_pretrained(root / name)
        (root / name / "preprocessor_config.json").write_text(json.dumps(processor))
    return {name: root / name for name in models}
