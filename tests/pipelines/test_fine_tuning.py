"""A fine-tuned skill, from the fleet file to an answer."""

import json
from pathlib import Path

import pytest
from toy_fleet import call, prepare_toys

from coachworks.models.head import load_head
from coachworks.models.session import open_session
from coachworks.store import FolderStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_fine_tuned_skill_goes_from_the_fleet_file_to_an_answer_beside_skills_with_heads(
    tmp_path: Path, converted: FolderStore, empty_database: Path
) -> None:
    folder = prepare_toys(tmp_path, converted, empty_database)
    file = folder / "fleet.yaml"
    file.write_text(
        file.read_text()
        .replace("labels: [disc, square]\n", "labels: [disc, square]\n      candidates: [fine-tune]\n")
        .replace("minPhotosPerLabel: 500", "minBalancedAccuracy: 1.0")
    )
    ran = call("run", "-f", file, "--json", timeout=900)
    skills = {skill["skill"]: skill for skill in json.loads(ran.stdout)["skills"]}
    assert skills["shape"]["winner"] == "fine-tune", ran.stderr
    assert skills["colour"]["winner"] != "fine-tune"
    (bundle,) = (folder / "store" / "results" / "package").glob("*/bundle")
    assert sorted(path.name for path in bundle.rglob("*.onnx")) == ["backbone.onnx"]
    outputs = [output.name for output in open_session(bundle / "backbone.onnx", 1).get_outputs()]
    assert "activation" in outputs
    head = load_head(bundle / "heads" / "shape.safetensors")
    assert head.kind == "fine-tune"
    assert head.groups[-1] == "activation"
    assert not list((folder / "store" / "checkpoints").rglob("*.safetensors"))
    answered = call("predict", "-f", file, folder / "photos" / "thing000-0.jpg", "--json")
    (photo,) = json.loads(answered.stdout)["photos"]
    labels = {skill: answer["label"] for skill, answer in photo["answers"].items()}
    assert (labels["colour"], labels["shape"]) == ("red", "disc"), answered.stderr
