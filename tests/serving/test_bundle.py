import json
import shutil
from pathlib import Path

import pytest

from coachworks.errors import DataError
from coachworks.models.manifest import Manifest
from serving.bundle import Bundle, load_bundle
from serving.errors import UnknownSkillError


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


def test_a_bundle_holds_its_fleet_skills_and_backbone(bundle: Bundle):
    assert bundle.fleet == "showroom"
    assert list(bundle.skills) == ["colour", "light"]
    assert bundle.skills["colour"].head.labels == ("red", "green", "blue")
    assert bundle.skills["colour"].entry.version == "3"
    assert bundle.skills["colour"].entry.question == "Which colour?"
    assert bundle.backbone.input_px == 32


@pytest.mark.parametrize("name", ["backbone.onnx", "heads/colour.safetensors"])
def test_a_file_that_was_changed_is_refused(copy: Path, name: str):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(DataError, match=rf"{name} of the bundle must have the SHA-256 .* `coachworks run --from"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["backbone.onnx", "heads/light.safetensors", "manifest.json"])
def test_a_file_that_is_missing_is_refused(copy: Path, name: str):
    (copy / name).unlink()
    with pytest.raises(DataError, match=rf"the bundle must hold {name}; .*Package the fleet again"):
        load_bundle(copy)


def test_a_bundle_of_another_version_is_refused(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"apiVersion": "coachworks.dev/v2"}))
    with pytest.raises(DataError, match=r"apiVersion: .*'coachworks.dev/v1'.* Package the fleet again"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"kind": "Bundle"}'])
def test_a_malformed_manifest_is_refused(copy: Path, text: str):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest.json of the bundle .* cannot be read"):
        load_bundle(copy)


def test_a_skill_whose_name_leaves_the_bundle_is_refused(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["skills"]["../../outside"] = manifest["skills"]["colour"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="cannot be read"):
        load_bundle(copy)


def test_labels_that_differ_from_those_of_the_head_are_refused(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["skills"]["colour"]["labels"].reverse()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="labels of the head of 'colour' must be those of the manifest"):
        load_bundle(copy)


def test_a_head_of_another_backbone_is_refused(copy: Path):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["backbone"]["digest"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="the head of 'colour' must read features of the backbone 000000000000"):
        load_bundle(copy)


def test_an_unknown_skill_is_refused_with_the_closest_name(bundle: Bundle):
    with pytest.raises(UnknownSkillError, match=r"among colour, light; got 'color'\. Did you mean `colour`\?"):
        bundle.pick(["light", "color"])


def test_skills_are_picked_once_each_in_the_requested_order(bundle: Bundle):
    assert bundle.pick(["light", "colour", "light"]) == ("light", "colour")
    assert bundle.pick(None) == ("colour", "light")


# in a pod: the manifest comes from the pod's configuration


def of_skills(manifest: Manifest, *skills: str) -> Manifest:
    return manifest.model_copy(update={"skills": {name: manifest.skills[name] for name in skills}})


def test_a_pod_may_use_some_of_the_heads_in_a_folder(copy: Path, manifest: Manifest):
    (copy / "manifest.json").unlink()
    partial = of_skills(manifest, "light")
    bundle = load_bundle(copy, partial)
    assert list(bundle.skills) == ["light"]
    assert bundle.digest == partial.digest()[:12]


def test_a_file_that_differs_from_the_pods_manifest_is_refused(copy: Path, manifest: Manifest):
    shutil.copyfile(copy / "heads/light.safetensors", copy / "heads/colour.safetensors")
    with pytest.raises(DataError, match=r"heads/colour.safetensors .* SHA-256 .*`kubectl delete pod \S+`"):
        load_bundle(copy, manifest)


def test_a_missing_file_of_the_pods_manifest_is_refused(copy: Path, manifest: Manifest):
    (copy / "backbone.onnx").unlink()
    with pytest.raises(DataError, match=r"must hold backbone.onnx; .* `kubectl delete pod \S+`\. .* --write-image"):
        load_bundle(copy, manifest)


def test_on_a_skills_own_port_the_others_are_unknown(bundle: Bundle):
    assert bundle.pick(None, only="light") == ("light",)
    assert bundle.pick(["light"], only="light") == ("light",)
    with pytest.raises(UnknownSkillError, match=r"skills must be among light; got 'colour'\.$"):
        bundle.pick(["colour"], only="light")
