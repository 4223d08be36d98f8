"""A small chain of results, as published by the steps before register."""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_process import mlflow_server
from PIL import Image
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.digests import digest_bytes, digest_file
from coachworks.features import space_of, view_folder, write_shard
from coachworks.fleet.model import Fleet
from coachworks.models.head import Head
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tracking import tracking_of
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.evaluate.report import EvaluateReport
from components.ingest.report import IngestReport
from components.split.report import SplitReport
from components.train.report import TrainReport
from components.validate.report import ValidateReport
from reports import report_of

LABELS = ("front", "rear", "side")
DIMENSIONS = 4
PHOTOS = 60


def _write_policy(folder: Path, policy: dict[str, Any]) -> None:
    (folder / "policy.json").write_text(json.dumps(policy))


@dataclass(frozen=True)
class Chain:
    """Fabricates evaluations on one store."""

    store: FolderStore
    fleet: Fleet

    def evaluation(
        self,
        *,
        noise: float = 0.0,
        seed: int = 0,
        backbone: str = "b" * 64,
        status: str = "passed",
        skills: Sequence[str] | None = None,
        photos: range = range(PHOTOS),
        **changes: Any,
    ) -> str:
        """Publish an evaluation whose heads answer right except for a share `noise` of the features; return its key."""

        names = list(skills or self.fleet.spec.skills)

        def link(step: str, upstream: dict[str, Any], report: Any, build: Callable[[Path], None] | None = None) -> str:
            def make(folder: Path) -> Any:
                if build is not None:
                    build(folder)
                return report

            inputs = {
                **upstream,
                "skills": names,
                "noise": noise,
                "seed": seed,
                "backbone": backbone,
                "status": status,
                "changes": changes,
            }
            return produce(step, inputs, make, context=Context(self.store), code="test").key

        ids = [digest_bytes(f"{number}".encode()) for number in photos]
        truth = [LABELS[number % 3] for number in photos]

        def labels(folder: Path) -> None:
            frame = pd.DataFrame({"photo_id": ids, "label": truth, "split": "test"})
            pd.concat(frame.assign(skill=name) for name in names).to_parquet(folder / "labels.parquet")

        ingest = link("ingest", {}, report_of(IngestReport, {"photos": PHOTOS}))
        split = link(
            "split", {"ingest": ingest}, report_of(SplitReport, {"skills": {name: {} for name in names}}), labels
        )
        validate = link("validate", {"split": split}, report_of(ValidateReport, {}))
        augmented = {"views": 2, "policy_digest": "p" * 64}
        augment = link(
            "augment",
            {"validate": validate},
            report_of(AugmentReport, augmented),
            lambda f: _write_policy(f, augmented),
        )
        embedded: dict[str, Any] = {
            "backbone": "drawn",
            "backbone_digest": backbone,
            "dimensions": DIMENSIONS,
            "views": 2,
        }
        embedded |= {"space": space_of(backbone), "view_digest": "v" * 64}
        write_shard(self.store, view_folder(space_of(backbone), "", 0), ids, features_of(ids))
        embed = link("embed", {"augment": augment}, report_of(EmbedReport, embedded))
        train = link(
            "train",
            {"embed": embed},
            report_of(TrainReport, {"skills": {name: _trained(seed) for name in names}}),
        )
        heads = {name: _head(noise, seed + index, backbone) for index, name in enumerate(names)}
        features = features_of(ids)
        report = {}
        with self.store.scratch() as folder:
            for name, head in heads.items():
                head.save(folder / "head.safetensors")
                answers = [LABELS[index] for index in head.logits(features).argmax(axis=1)]
                digest = digest_file(folder / "head.safetensors")
                report[name] = {**_evaluated(truth, answers, status, digest), **changes}

        def evaluate(folder: Path) -> None:
            (folder / "page.html").write_text("<h1>evaluation</h1>")
            for name, head in heads.items():
                (folder / name).mkdir()
                head.save(folder / name / "head.safetensors")
                probabilities = head.probabilities(features)
                pd.DataFrame(
                    {
                        "photo_id": ids,
                        "set_id": [f"set-{number // 2}" for number in photos],
                        "label": truth,
                        "predicted": [LABELS[index] for index in probabilities.argmax(axis=1)],
                        "confidence": probabilities.max(axis=1),
                        "probabilities": list(probabilities),
                    }
                ).to_parquet(folder / name / "predictions.parquet")
                Image.new("RGB", (40, 30), "teal").save(folder / name / "confusion.png")
                Image.new("RGB", (40, 30), "navy").save(folder / name / "mistakes.jpg")

        return link("evaluate", {"train": train}, report_of(EvaluateReport, {"skills": report}), evaluate)


def features_of(photo_ids: Sequence[str]) -> np.ndarray:
    """Features that separate the labels, float32, shape (N, DIMENSIONS)."""
    numbers = {digest_bytes(f"{number}".encode()): number for number in range(10 * PHOTOS)}
    rows = np.zeros((len(photo_ids), DIMENSIONS), np.float32)
    for row, photo_id in zip(rows, photo_ids, strict=True):
        row[numbers[photo_id] % 3] = 1
        row[3] = np.random.default_rng(numbers[photo_id]).uniform(-1, 1)
    return rows


def _head(noise: float, seed: int, backbone: str) -> Head:
    """A linear head that the last feature makes wrong on a share `noise` of the photos."""
    weight = np.eye(3, DIMENSIONS, dtype=np.float32)
    weight[:, 3] = [2 * noise, -2 * noise, 0]
    weight[0, 0] += 1e-3 * (seed % 1000)  # other bytes, same answers
    return Head(
        kind="linear",
        labels=LABELS,
        arrays={"weight": weight, "bias": np.zeros(3, np.float32)},
        backbone_digest=backbone,
    )


def _trained(seed: int) -> dict[str, Any]:
    candidates = {
        name: {
            "validation_balanced_accuracy": accuracy,
            "standard_error": 0.02,
            "complexity": complexity,
            "parameters": {"seed": seed, **parameters},
            "seconds": 1.5,
        }
        for name, accuracy, complexity, parameters in (
            ("linear", 0.93, 15, {"c": 1.0}),
            ("knn", 0.9, 40, {"neighbours": 5}),
            ("naive-bayes", 0.8, 10, {}),
        )
    }
    return {
        "status": "trained",
        "reason": "",
        "labels": list(LABELS),
        "photos": {"train": 140, "validation": 30, "test": PHOTOS},
        "candidates": candidates,
        "winner": "linear",
        "why": "It is the simplest within one standard error of the best.",
        "imbalance": {
            "policy": "logit-adjustment",
            "trials": [
                {"policy": "balanced", "balanced_accuracy": 0.7, "standard_error": 0.03},
                {"policy": "logit-adjustment", "balanced_accuracy": 0.86, "standard_error": 0.0},
            ],
            "why": "logit-adjustment has the best balanced accuracy in folds",
        },
        "label_noise": {"photos": 170, "level": _interval(0.07), "suspicious": 9, "transition": np.eye(3).tolist()},
    }


def _evaluated(truth: list[str], answers: list[str], status: str, head_digest: str) -> dict[str, Any]:
    right = np.asarray(truth) == np.asarray(answers)
    recall = {label: float(right[np.asarray(truth) == label].mean()) for label in LABELS}
    accuracy = _interval(float(np.mean(list(recall.values()))))
    gate = {"gate": "minBalancedAccuracy", "limit": 0.5, "value": accuracy["value"], "passed": status == "passed"}
    return {
        "status": status,
        "reason": "",
        "winner": "linear",
        "photos": len(truth),
        "sets": len(truth) // 2,
        "labels": list(LABELS),
        **dict.fromkeys(("balanced_accuracy", "macro_f1", "accuracy"), accuracy),
        "per_label": {
            label: {"precision": _interval(value), "recall": _interval(value), "support": 20}
            for label, value in recall.items()
        },
        "confusion": [[20, 0, 0], [0, 20, 0], [0, 0, 20]],
        "ece_before": 0.08,
        "ece_after": 0.03,
        "temperature": 1.2,
        "log_loss": None,
        "sensible_mistakes": 1,
        "silly_mistakes": 2,
        "gates": [gate],
        "mistakes": [],
        "head_digest": head_digest,
    }


def _interval(value: float) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05)}


@pytest.fixture
def fleet(store: FolderStore) -> Fleet:
    """Two skills, located, embedded tracking."""
    skill = {"question": "Which way does the car face?", "labels": list(LABELS)}
    return small_fleet({"view": skill, "light": skill}, store=store.uri)


@pytest.fixture
def chain(store: FolderStore, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """Fabricates evaluations; the environment names no server."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Chain(store, fleet)


@pytest.fixture
def database(chain: Chain, empty_database: Path) -> Path:
    """The fleet's MLflow database, whose tables are there already."""
    database = tracking_of(chain.fleet).database
    assert database is not None
    database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, database)
    return database


@pytest.fixture
def client(fleet: Fleet, database: Path) -> Any:
    """MLflow's own client of the fleet's database."""
    from mlflow import MlflowClient

    tracking = tracking_of(fleet)
    return MlflowClient(tracking.uri, tracking.uri)


@pytest.fixture
def alone(fleet: Fleet) -> Fleet:
    """The fleet's first skill only: half the work."""
    skills = {"view": fleet.spec.skills["view"]}
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})


@pytest.fixture(scope="session")
def start_mlflow() -> Callable[..., AbstractContextManager[str]]:
    """Starts a real MLflow server: `with start_mlflow(folder) as address:`."""
    return mlflow_server
