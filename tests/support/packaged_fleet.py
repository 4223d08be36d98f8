"""A store as the steps before package leave it: a tiny backbone, heads that know colours, results of register."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from small_fleets import fleet_text, small_fleet

from coachworks.context import Context
from coachworks.digests import digest_bytes, digest_file
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec
from coachworks.models.head import Head
from coachworks.results import produce
from coachworks.store import FolderStore

INPUT_PX, GRID, DIMENSIONS = 32, 4, 48
SKILLS = {"colour": ["red", "green", "blue"], "light": ["dark", "bright"]}


def _skills(labels: Mapping[str, list[str]]) -> dict[str, Any]:
    return {name: {"labels": each, "question": f"Which {name}?"} for name, each in labels.items()}


FLEET = fleet_text(_skills(SKILLS), store="./store")


def fleet_of(root: Path, skills: Mapping[str, list[str]] = SKILLS) -> Fleet:
    return small_fleet(_skills(skills), store="./store").located(root)


def backbone_onnx(scale: float = 1.0) -> bytes:
    """Means of a 4 × 4 grid per channel: 48 features."""
    import onnx
    from onnx import TensorProto, helper

    side = INPUT_PX // GRID
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["photos"], ["grid"], kernel_shape=[side, side], strides=[side, side]),
            helper.make_node("Mul", ["grid", "scale"], ["scaled"]),
            helper.make_node("Flatten", ["scaled"], ["features"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("photos", TensorProto.FLOAT, ["N", 3, INPUT_PX, INPUT_PX])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", DIMENSIONS])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def put_backbone(store: FolderStore, scale: float = 1.0) -> BackboneSpec:
    data = backbone_onnx(scale)
    spec = BackboneSpec(
        name="tiny",
        digest=digest_bytes(b"tiny" + data),
        input_px=INPUT_PX,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        resampling="bilinear",
        fit="squash",
        dimensions=DIMENSIONS,
        onnx_sha256=digest_bytes(data),
        preprocessing=1,
    )
    store.write(f"backbones/{spec.digest}.onnx", data)
    store.write(f"backbones/{spec.digest}.json", json.dumps(spec.to_json()).encode())
    return spec


def head_of(skill: str, backbone_digest: str, temperature: float = 0.5) -> Head:
    """A linear head: `colour` picks the strongest channel, `light` the sign of the mean."""
    channels = np.repeat(np.eye(3, dtype=np.float32), GRID * GRID, axis=1) / (GRID * GRID)
    if skill == "colour":
        weight = channels
    else:
        weight = np.stack([-channels.mean(axis=0), channels.mean(axis=0)]).astype(np.float32)
    labels = SKILLS.get(skill, ["no", "yes"])
    return Head(
        kind="linear",
        labels=tuple(labels),
        arrays={"weight": weight, "bias": np.zeros(len(labels), np.float32)},
        backbone_digest=backbone_digest,
        temperature=temperature,
    )


def put_head(store: FolderStore, skill: str, head: Head, tmp: Path, *, created_at: str = "2026-03-01T10:00:00") -> str:
    """Keep a head as register does; its digest."""
    file = tmp / f"{skill}-{head.temperature}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    head.save(file)
    digest = digest_file(file)
    store.write_file(f"heads/{digest}.safetensors", file)
    beside = {
        "skill": skill,
        "question": f"Which {skill}?",
        "labels": list(head.labels),
        "kind": head.kind,
        "temperature": head.temperature,
        "backbone": "tiny",
        "backbone_digest": head.backbone_digest,
        "groups": list(head.groups),
        "metrics": {"balanced_accuracy": {"value": 0.91, "low": 0.88, "high": 0.94}},
        "data_digest": "d" * 32,
        "evaluate": "e" * 32,
        "provenance": {"run": None},
        "code_version": "0.1.0",
        "created_at": created_at,
    }
    store.write(f"heads/{digest}.json", json.dumps(beside).encode())
    return digest


def put_register(store: FolderStore, skills: Mapping[str, Mapping[str, Any]], evaluate: str = "e" * 32) -> str:
    """Publish a result of register; its key."""
    report = {"tracking": "embedded", "skills": {name: dict(entry) for name, entry in skills.items()}}
    inputs = {"evaluate": evaluate, **report}
    return produce("register", inputs, lambda folder: report, context=Context(store), code="test").key


def champion(head_digest: str | None, version: str | None = "1", status: str = "champion") -> dict[str, Any]:
    return {
        "status": status,
        "reason": "it passed" if head_digest else "balanced accuracy 0.5 is below the gate 0.85",
        "model": "showroom.skill",
        "version": version,
        "champion_version": version if head_digest else None,
        "head_digest": head_digest,
    }


def fabricate(root: Path) -> tuple[Fleet, FolderStore, str]:
    """A fleet of two skills, both with a champion: the fleet, its store, the key of register."""
    fleet = fleet_of(root)
    store = FolderStore(root / "store")
    spec = put_backbone(store)
    digests = {skill: put_head(store, skill, head_of(skill, spec.digest), root / "tmp") for skill in SKILLS}
    return fleet, store, put_register(store, {skill: champion(digest, "3") for skill, digest in digests.items()})


def photo(colour: str | tuple[int, int, int], *, size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> bytes:
    """A photo of one colour, as the bytes of a file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()
