import shutil
from pathlib import Path

import numpy as np
import pytest
from small_fleets import small_fleet

from coachworks.errors import DataError
from coachworks.feature_groups import select
from coachworks.models.backbone import fetch_onnx, read_backbone
from coachworks.models.bundling import choose_content, read_heads, write_bundle
from coachworks.models.champions import HeadVersion
from coachworks.models.head import Head
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, ensure_trimmed, find_backbone
from serving.bundle import load_bundle
from serving.fetch import model_files
from serving.predictor import Predictor

SKILLS = {"colour": ("last",), "light": ("last", "blocks-mean")}


def random_head(skill: str, sizes, digest: str) -> Head:
    rng = np.random.default_rng(len(skill))
    weight = rng.normal(size=(2, sum(sizes[group] for group in SKILLS[skill]))).astype(np.float32) / 50
    arrays = {"weight": weight, "bias": np.zeros(2, np.float32)}
    return Head(kind="linear", labels=("no", "yes"), arrays=arrays, backbone_digest=digest, groups=SKILLS[skill])


@pytest.fixture(scope="module")
def packaged(tmp_path_factory, converted, fabricated):
    """A store, the heads of two skills that read different groups, and the folder of their bundle."""
    root = tmp_path_factory.mktemp("groups")
    store = FolderStore(root / "store")
    shutil.copytree(converted.root / "backbones", store.root / "backbones")
    whole = ensure_backbone(store, find_backbone("efficientnet-lite0"))
    fleet = small_fleet({skill: {"labels": ["no", "yes"]} for skill in SKILLS})
    heads = {skill: random_head(skill, whole.group_sizes, whole.digest) for skill in SKILLS}
    versions = {
        skill: HeadVersion(version="1", head_digest=fabricated.put_head(store, skill, head, root))
        for skill, head in heads.items()
    }
    content = choose_content(read_heads(store, versions)[0])
    assert content.groups == ("last", "blocks-mean")
    ensure_trimmed(store, content.backbone, content.groups)
    manifest = write_bundle(store, fleet, content, root / "bundle")
    return store, heads, manifest, root / "bundle"


def test_a_bundle_gives_only_the_groups_that_a_head_reads_and_answers_as_the_whole_network(packaged, fabricated):
    store, heads, _, folder = packaged
    bundle = load_bundle(folder)
    assert list(bundle.backbone.group_sizes) == ["last", "blocks-mean"]
    session = open_session(bundle.backbone_path, 1)
    assert [output.name for output in session.get_outputs()] == ["features", "blocks-mean"]
    photos = [fabricated.photo((40 * i, 200 - 30 * i, 17 * i), size=(50 + i, 90)) for i in range(3)]
    whole = ensure_backbone(store, find_backbone("efficientnet-lite0"))
    sizes = whole.group_sizes
    pixels = np.stack([features_input(photo, whole) for photo in photos])
    features = run_session(open_session(fetch_onnx(store, whole), 1), pixels, tuple(sizes))
    answered = Predictor(bundle, threads=1).answer(photos, probabilities=True)
    for skill, head in heads.items():
        expected = head.probabilities(select(features, sizes, head.groups))
        actual = [list((answers[skill].probabilities or {}).values()) for answers in answered]
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_a_pod_fetches_the_graph_of_its_manifest(packaged):
    store, _, manifest, folder = packaged
    backbone = next(file for file in model_files(manifest) if file.name == "backbone.onnx")
    assert store.read(backbone.key) == (folder / "backbone.onnx").read_bytes()
    assert backbone.key != f"backbones/{manifest.backbone.digest}.onnx"


def test_a_head_that_reads_what_the_graph_does_not_give_is_refused(packaged, tmp_path):
    store, _, manifest, folder = packaged
    last = ensure_trimmed(store, manifest.backbone.digest, ("last",))
    other = Path(shutil.copytree(folder, tmp_path / "bundle"))
    shutil.copyfile(fetch_onnx(store, last), other / "backbone.onnx")
    backbone = {**last.to_json(), "sha256": last.onnx_sha256}
    changed = manifest.model_copy(update={"backbone": type(manifest.backbone)(**backbone)})
    (other / "manifest.json").write_text(changed.to_json())
    with pytest.raises(DataError, match="the head of 'light' must read features of the backbone"):
        load_bundle(other)


def test_heads_of_groups_that_were_never_cut_out_are_served_by_the_whole_graph(packaged):
    store, _, manifest, _ = packaged
    spec = read_backbone(store, manifest.backbone.digest, ("last", "blocks-std"))
    assert len(spec.group_sizes) == 4
