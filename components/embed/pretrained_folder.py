"""Vision models in the layout of `transformers`: a folder with configuration, safetensors and preprocessing."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.digests import digest_file, digest_json
from coachworks.errors import InvalidConfigError
from coachworks.models.backbone import Resampling
from coachworks.regular_files import read_regular
from coachworks.settings import apply_quiet_settings
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

_RESAMPLING: dict[int, Resampling] = {1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}  # Pillow's numbers
# Weights of a model of photos and texts that its vision tower does not read
_OTHER_TOWER = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias")
_MAX_JSON_BYTES = 16 * 1024 * 1024


def pretrained_folder(folder: Path, *, name: str | None = None) -> Source:
    """Read the backbone in `folder`.

    Args:
        folder: Folder written by `save_pretrained` of a model and of its image processor.
        name: Name of the backbone; None for the folder's name.

    Raises:
        InvalidConfigError: the folder does not exist, or has no vision model or no safetensors.
    """
    if not folder.is_dir():
        raise InvalidConfigError(f"backbone must be an existing folder; got {str(folder)!r}")
    config = _json(folder, "config.json", "It must be a folder as `model.save_pretrained(folder)` writes it.")
    weights = sorted(file for file in folder.glob("*.safetensors") if file.is_file())
    if not weights:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} must hold its weights as *.safetensors; other formats may run code when they "
            "are read, and are refused. Save it again with `model.save_pretrained(folder, safe_serialization=True)`."
        )
    processor = _json(
        folder,
        "preprocessor_config.json",
        "A vision model has one: `AutoImageProcessor.from_pretrained(name).save_pretrained(folder)` writes it.",
    )
    input_px = _input_px(folder, processor, config)
    mean, std = _mean_and_std(folder, processor)
    return Source(
        name=name or folder.resolve().name,
        weights=digest_json([config, {file.name: digest_file(file) for file in weights}]),
        load=partial(_load, folder, input_px),
        input_px=input_px,
        mean=mean,
        std=std,
        resampling=_RESAMPLING.get(processor.get("resample", 2), "bilinear"),
    )


def _json(folder: Path, file: str, way_out: str) -> dict[str, Any]:
    try:
        content = json.loads(read_regular(folder / file, _MAX_JSON_BYTES))
    except FileNotFoundError as err:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} is not a vision model: it has no {file}. {way_out}"
        ) from err
    except (ValueError, OSError) as err:
        raise InvalidConfigError(f"backbone {str(folder)!r} has a {file} that cannot be read: {err}") from err
    if not isinstance(content, dict):
        raise InvalidConfigError(
            f"backbone {str(folder)!r} must have a JSON object in {file}; got a {type(content).__name__}"
        )
    return content


def _input_px(folder: Path, processor: dict[str, Any], config: dict[str, Any]) -> int:
    crop = processor.get("crop_size") if processor.get("do_center_crop") else None
    vision = config.get("vision_config") or {}
    size = crop or processor.get("size") or config.get("image_size") or vision.get("image_size")
    if isinstance(size, dict):
        sides = {value for key, value in size.items() if key in {"height", "width", "shortest_edge"}}
    else:
        sides = set(size) if isinstance(size, list) else {size}
    if len(sides) != 1 or not isinstance(side := sides.pop(), int) or not 16 <= side <= 2048:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} must take square photos of 16 to 2048 pixels; its preprocessor_config.json says "
            f"{size!r}"
        )
    return side


def _mean_and_std(
    folder: Path, processor: dict[str, Any]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    mean, std = [0.0] * 3, [1.0] * 3
    if processor.get("do_normalize", True):
        mean, std = processor.get("image_mean", ()), processor.get("image_std", ())
    if len(mean) != 3 or len(std) != 3:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} must name image_mean and image_std of three channels in its "
            f"preprocessor_config.json; got {mean!r} and {std!r}"
        )
    # Normally 1: transformers multiplies by 1/255, and mean and std of the spec refer to values in [0, 1].
    scale = 255 * processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 255.0
    red, green, blue = (value / scale for value in mean)
    red_std, green_std, blue_std = (value / scale for value in std)
    return (red, green, blue), (red_std, green_std, blue_std)


def _load(folder: Path, input_px: int) -> "torch.nn.Module":
    apply_quiet_settings()
    import torch

    model, has_pooler = _read_model(folder)

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model
            self.patch_tokens = _patch_tokens(model.config, input_px)

        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            return self._pooled(self.network(pixel_values=photos, return_dict=True))

        def with_blocks(self, photos: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            output = self.network(pixel_values=photos, return_dict=True, output_hidden_states=True)
            hidden = getattr(output, "reshaped_hidden_states", None) or getattr(output, "hidden_states", None) or ()
            # The first state of a transformer is its input, which no layer has seen yet.
            outputs = [each for number, each in enumerate(hidden) if each.ndim == 4 or (each.ndim == 3 and number)]
            return self._pooled(output), outputs

        def _pooled(self, output: Any) -> torch.Tensor:
            pooled: torch.Tensor | None = getattr(output, "pooler_output", None) if has_pooler else None
            if pooled is not None:
                return pooled.flatten(1)
            hidden: torch.Tensor = output.last_hidden_state
            return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)

    return Pooled().eval()


def _patch_tokens(config: Any, input_px: int) -> int:
    """Return the number of tokens that stand for patches of the photo; 0 if the configuration does not tell."""
    patch = getattr(config, "patch_size", None)
    return (input_px // patch) ** 2 if isinstance(patch, int) and patch > 0 else 0


def _read_model(folder: Path) -> "tuple[Any, bool]":
    """Read the model, and return whether its pooler, if it has one, comes from the checkpoint."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging as messages

    messages.set_verbosity_error()
    messages.disable_progress_bar()
    try:
        model, info = AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as err:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} cannot be loaded with transformers, without code of its own: {err}"
        ) from err
    if hasattr(model, "vision_model"):  # of two towers, such as those of CLIP and SigLIP, the one that sees photos
        model = model.vision_model
    if model.main_input_name != "pixel_values":
        raise InvalidConfigError(
            f"backbone {str(folder)!r} must be a vision model, which takes pixel_values; {type(model).__name__} takes "
            f"{model.main_input_name}"
        )
    missing = {str(key) for key in info["missing_keys"] if not str(key).startswith(_OTHER_TOWER)}
    # A checkpoint without a pooler (one of a classifier) gets one of random weights from transformers: do not use it.
    random_pooler = {key for key in missing if "pool" in key}
    if missing - random_pooler:
        raise InvalidConfigError(
            f"backbone {str(folder)!r} lacks weights that its config.json asks for: "
            f"{', '.join(sorted(missing - random_pooler)[:5])}"
        )
    return model, not random_pooler
