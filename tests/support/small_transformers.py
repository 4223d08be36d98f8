"""Small vision models of random weights in the layout of transformers, one of each architecture."""

import json
from pathlib import Path

from coachworks.feature_groups import CELLS, CLASS, MEAN, STD

# name -> (configuration, its arguments, groups that there are); all see 32 px
TRANSFORMERS = {
    "dinov2": ("Dinov2", {"patch_size": 8}, {CLASS, MEAN, STD, CELLS}),
    "vit": ("ViT", {"patch_size": 8}, {CLASS, MEAN, STD, CELLS}),
    "convnext": ("ConvNext", {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]}, {MEAN, STD, CELLS}),
    "resnet": ("ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, {MEAN, STD, CELLS}),
    "swin": ("Swin", {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "patch_size": 4},
             {MEAN, STD, CELLS}),
    "mobilenet": ("MobileNetV2", {"depth_multiplier": 0.35}, {MEAN, STD, CELLS}),
    "clip": ("CLIP", {"patch_size": 8}, {CLASS, MEAN, STD, CELLS}),
    "siglip": ("Siglip", {"patch_size": 8}, {MEAN, STD, CELLS}),
}  # fmt: skip
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def saved(name: str, root: Path) -> Path:
    """Save a small model of random weights, and its preprocessing."""
    import torch
    import transformers

    kind, arguments, _ = TRANSFORMERS[name]
    arguments = {**arguments, "image_size": 32}
    torch.manual_seed(0)
    if kind in {"CLIP", "Siglip"}:
        text = {**SMALL, "vocab_size": 20, "max_position_embeddings": 8}
        config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config={**SMALL, **arguments})
    else:
        small = SMALL if "patch_size" in arguments and kind != "Swin" else {}
        config = getattr(transformers, f"{kind}Config")(**small, **arguments)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(root / name)
    processor = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (root / name / "preprocessor_config.json").write_text(json.dumps(processor))
    return root / name
