"""A small backbone, and photos whose labels only its last blocks can tell apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared import build_once
from small_transformers import saved

from coachworks.store import FolderStore
from components.embed.backbones import find_backbone
from components.embed.cut import find_cut
from components.train.fine_tune.data import TuningData, save_data
from components.train.fine_tune.job import Job, write_job
from components.train.fine_tune.start import Start

LABELS, PHOTOS, VALIDATION = 3, 60, 24


@pytest.fixture(scope="session")
def small_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a small ResNet of random weights."""
    root = build_once(tmp_path_factory, "fine-tune-backbone", lambda folder: saved("resnet", folder))
    return str(root / "resnet")


@pytest.fixture(scope="session")
def start(small_backbone: str) -> Start:
    source = find_backbone(small_backbone)
    weight = np.random.default_rng(2).normal(scale=0.1, size=(LABELS, grouped_size(source))).astype(np.float32)
    return Start(weight, np.zeros(LABELS, np.float32), np.zeros((LABELS, 0), np.float32), ())


def grouped_size(source: Any) -> int:
    from components.embed.grouped import grouped

    return int(grouped(source).sizes["last"])


@pytest.fixture
def job_folder(small_backbone: str, start: Start, tmp_path: Path, store: FolderStore) -> Callable[..., Path]:
    """Write a job of some epochs into a new folder of the given name."""
    source = find_backbone(small_backbone)
    shape = find_cut(source, source.load()).shape
    rng = np.random.default_rng(0)
    centres = np.abs(rng.normal(size=(LABELS, shape[0], 1, 1))) * 3
    answers = rng.integers(0, LABELS, PHOTOS + VALIDATION)
    maps = np.abs(centres[answers] + rng.normal(scale=1.0, size=(PHOTOS + VALIDATION, *shape)))
    flat = maps.reshape(len(maps), -1).astype(np.float16)

    def write(
        name: str, *, epochs: int = 4, digest: str = "d" * 64, learning_rate: float = 3e-3, **changes: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        files = [folder / "clean.npy", folder / "view.npy", folder / "validation.npy"]
        for file, table in zip(files, (flat[:PHOTOS], flat[:PHOTOS] * 0.9, flat[PHOTOS:]), strict=True):
            np.save(file, table)
        values: dict[str, Any] = {
            "activations": (),
            "rows": np.arange(PHOTOS),
            "offsets": np.zeros((2, PHOTOS, LABELS), np.float32),
            "answers": np.stack([answers[:PHOTOS]] * 2),
            "weights": np.ones((2, PHOTOS), np.float32),
            "validation": np.empty(0),
            "validation_rows": np.arange(VALIDATION),
            "validation_offsets": np.zeros((VALIDATION, LABELS), np.float32),
            "validation_answers": answers[PHOTOS:],
        }
        save_data(TuningData(**{**values, **changes}), files[:2], files[2], folder)
        job = Job(
            backbone=small_backbone,
            store=store.uri,
            digest=digest,
            seed=0,
            frozen=(),
            epochs=epochs,
            learning_rate=learning_rate,  # the network is random: small steps would teach it nothing
        )
        write_job(job, start, folder)
        return folder

    return write
