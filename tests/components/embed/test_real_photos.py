from pathlib import Path

import numpy as np
import pytest

from coachworks.models.backbone import fetch_onnx
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from components.embed.backbones import ensure_backbone, find_backbone


@pytest.mark.data
@pytest.mark.parametrize(("backbone", "share"), [("efficientnet-lite0", 0.6), ("mobilenet", 0.5)])
def test_the_nearest_photo_is_mostly_of_the_same_material(
    data_folder: Path, store, backbone: str, share: float
) -> None:
    """Six materials, 40 photos each: chance is one in six."""
    if backbone == "mobilenet":
        folder = data_folder.parent / "weights" / "mobilenet_v2_1.0_224"
        if not folder.is_dir():
            pytest.skip("no weights/mobilenet_v2_1.0_224 beside the real photos")
        backbone = str(folder)
    spec = ensure_backbone(store, find_backbone(backbone))
    session = open_session(fetch_onnx(store, spec), threads=1)
    materials = sorted(path for path in (data_folder / "trashnet").iterdir() if path.is_dir())
    files = [file for material in materials for file in sorted(material.glob("*.jpg"))[::3][:40]]
    labels = np.array([file.parent.name for file in files])
    features = np.concatenate([run_session(session, features_input(file.read_bytes(), spec)[None]) for file in files])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    similarity = features @ features.T
    np.fill_diagonal(similarity, -1)
    assert (labels[similarity.argmax(1)] == labels).mean() > share
