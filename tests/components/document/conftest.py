"""A fabricated chain of results, from ingest to package: drawn photos and seeded numbers."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_cars import contact_sheet, draw_calibration, put_photos
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tables import CATALOGUE, LABELS, SPLIT_LABELS, write_table
from components.evaluate.report import EvaluateReport
from components.package.report import PackageReport
from components.register.report import RegisterReport
from reports import report_of

SHOWROOM = {
    "image-content": {
        "question": "What does the photo show?",
        "labels": ["interior", "exterior", "close-up", "close-up-with-text", "wheel"],
        "similar": [["close-up", "close-up-with-text"]],
        "unsure": "unsure",
    },
    "image-quality": {
        "question": "Is the photo good enough to publish?",
        "labels": ["good", "blurry", "low-resolution"],
        "tier": "critical",
        "gates": {"minBalancedAccuracy": 0.9},
    },
    "body-type": {"question": "Which body has the car?", "labels": ["saloon", "estate", "van"]},
    "colour": {"labels": ["red", "blue"]},
}


@dataclass
class Chain:
    """A fabricated run.

    Attributes:
        fleet: Its fleet, located.
        store: Its store.
        results: Result by step.
    """

    fleet: Fleet
    store: FolderStore
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def package(self) -> str:
        return self.results["package"].key


COMPLETE = {"evaluate": EvaluateReport, "register": RegisterReport, "package": PackageReport}  # read as dataclasses


def fabricate(
    root: Path,
    skills: dict[str, dict] | None = None,
    *,
    failed: tuple[str, ...] = (),
    dropped: tuple[str, ...] = (),
    challengers: tuple[str, ...] = (),
    registrations: dict[str, dict] | None = None,
    deploy: dict | None = None,
    per_split: tuple[int, int, int] = (30, 8, 10),
    sources: tuple[str, ...] = ("own garage", "client site"),
    reports: dict[str, dict] | None = None,
    lanes: int = 2,
    pictures: bool = True,
    name: str = "showroom",
) -> Chain:
    """A chain of results up to package.

    Args:
        root: Folder for the store.
        skills: Skills as in the fleet file.
        failed: Skills that miss a gate.
        dropped: Skills that validation refused.
        challengers: Skills whose new version did not take over.
        registrations: Changes to the report of register, by skill.
        deploy: `spec.deploy` of the fleet file.
        per_split: Photos for training, validation and test.
        sources: Names of the sources, in turn.
        reports: Reports to use as they are, by step.
        lanes: Groups of skills.
        pictures: Whether evaluate drew pictures.
        name: Of the fleet.
    """
    skills = skills or SHOWROOM
    fleet = small_fleet(skills, name=name, store="./store", lanes=lanes, deploy=deploy or {}).located(root)
    store = FolderStore(Path(fleet.spec.store))
    chain = Chain(fleet, store)
    rng = np.random.default_rng(7)
    catalogue = put_photos(store, rng, per_split, sources)
    truth = {
        skill: rng.choice(spec["labels"], len(catalogue), p=_shares(len(spec["labels"])))
        for skill, spec in skills.items()
    }
    labels = pd.concat([_labels(catalogue, skill, values) for skill, values in truth.items()], ignore_index=True)
    own_reports = reports or {}

    def step(step: str, upstream: dict, report: dict, fill=lambda folder: None) -> Result:
        def build(folder: Path) -> dict:
            fill(folder)
            if step in own_reports:
                return own_reports[step]
            return report_of(COMPLETE[step], report) if step in COMPLETE else report

        result = produce(step, upstream, build, context=Context(store), code="0")
        chain.results[step] = result
        return result

    def tables(folder: Path) -> None:
        write_table(catalogue, folder / "catalogue.parquet", CATALOGUE)
        write_table(labels.drop(columns="split"), folder / "labels.parquet", LABELS)
        (folder / "rejected.json").write_text("[]")

    ingest = step(
        "ingest",
        {"content": name},
        {"photos": len(catalogue), "rejected": {"truncated": 2, "duplicate": 1}, "sets": catalogue["set_id"].nunique()},
        tables,
    )
    split = step("split", {"ingest": ingest.key}, {}, lambda f: write_table(labels, f / "labels.parquet", SPLIT_LABELS))
    findings = _findings(skills, dropped)
    validate = step(
        "validate",
        {"split": split.key},
        {
            "photos": len(catalogue),
            "findings": findings,
            "skills": {
                skill: {
                    "passed": skill not in dropped,
                    "failures": [f for f in findings if f["skill"] == skill and f["severity"] == "failure"],
                    "warnings": [f for f in findings if f["skill"] == skill and f["severity"] == "warning"],
                }
                for skill in skills
            },
        },
    )
    augment = step(
        "augment",
        {"validate": validate.key},
        {"views": 2, "policy_digest": "a" * 64, "transforms": ["HorizontalFlip", "RandomBrightnessContrast", "Affine"]},
        lambda f: contact_sheet(catalogue, store).save(f / "contact-sheet.jpg"),
    )
    embed = step(
        "embed",
        {"augment": augment.key},
        {
            "backbone": "efficientnet-lite0",
            "backbone_digest": "b" * 64,
            "dimensions": 1280,
            "views": 2,
            "photos": len(catalogue),
            "computed": 120,
            "reused": 24,
            "seconds": 3.4,
        },
    )
    registered = []
    states = {s: "dropped" if s in dropped else "failed" if s in failed else "passed" for s in skills}
    predictions = {s: _predict(rng, catalogue, truth[s], skills[s], s in failed) for s in skills}
    for lane in fleet.lanes():
        train = step(
            "train",
            {"embed": embed.key, "skills": lane},
            {"skills": {s: _trained(s in dropped, _weights(skills[s])) for s in lane}},
        )

        def evaluated(folder: Path, lane: list[str] = lane) -> None:
            for skill in lane:
                if skill not in dropped:
                    (folder / skill).mkdir()
                    predictions[skill].to_parquet(folder / skill / "predictions.parquet")
                    if pictures:
                        draw_calibration(folder / skill / "calibration.png")

        evaluate = step(
            "evaluate",
            {"train": train.key, "confidence": 0.95},
            {"skills": {s: _evaluated(predictions[s], skills[s], states[s]) for s in lane}},
            evaluated,
        )
        register = step(
            "register",
            {"evaluate": evaluate.key},
            {
                "tracking": "embedded",
                "skills": {
                    s: _registered(states[s], s in challengers)
                    | {"model": f"{name}.{s}"}
                    | (registrations or {}).get(s, {})
                    for s in lane
                },
            },
        )
        registered.append(register.key)
    served = [s for s in skills if states[s] == "passed"]
    step(
        "package",
        {"register": registered},
        {
            "bento": f"{name}:abc",
            "backbone": "efficientnet-lite0",
            "bytes": 17_400_000,
            "skills": {s: {"version": "3", "head_digest": "d" * 64, "kind": "linear"} for s in served},
        },
    )
    return chain


def _shares(labels: int) -> np.ndarray:
    weights = np.linspace(2, 1, labels)
    return weights / weights.sum()


def _labels(catalogue: pd.DataFrame, skill: str, values: np.ndarray) -> pd.DataFrame:
    frame = catalogue[["photo_id", "split"]].assign(skill=skill, label=values, confidence=1.0, votes=2, agreement=1.0)
    frame["label"] = frame["label"].astype(object)
    frame.loc[frame.index[0], "label"] = None
    return frame


def _findings(skills: dict[str, dict], dropped: tuple[str, ...]) -> list[dict]:
    findings = [
        {
            "check": "near-duplicates",
            "severity": "info",
            "skill": None,
            "message": "4 photos look almost the same as another photo",
            "way_out": "Look at them in the validation page",
            "photo_ids": [],
            "count": 4,
        }
    ]
    for skill, spec in skills.items():
        label = spec["labels"][-1]
        stops = skill in dropped
        findings.append(
            {
                "check": "photos-per-label",
                "severity": "failure" if stops else "warning",
                "skill": skill,
                "message": f"label {label!r} has 12 photos of the 1,000 that it should have; 988 are missing",
                "way_out": f"Add 988 photos of {label!r}, or lower minPhotosPerLabel",
                "photo_ids": [],
                "count": 988,
            }
        )
    return findings


def _trained(dropped: bool, weights: dict[str, float]) -> dict:
    if dropped:
        return {
            "status": "dropped",
            "reason": "validation refused it: too few photos",
            "candidates": {},
            "winner": None,
        }
    scores = {"linear": 0.87, "knn": 0.84, "svm": 0.88, "naive-bayes": 0.79}
    return {
        "status": "trained",
        "reason": None,
        "candidates": {
            kind: {
                "validation_balanced_accuracy": score,
                "standard_error": 0.021,
                "complexity": index + 1,
                "parameters": {"class_weights": "balanced"},
                "seconds": 0.3 * (index + 1),
            }
            for index, (kind, score) in enumerate(scores.items())
        },
        "class_weights": weights,
        "winner": "linear",
        "why": "linear is within one standard error (0.021) of svm, the best, and simpler",
        "calibration": {
            "method": "temperature",
            "photos": 412,
            "log_loss": {"none": 0.52, "temperature": 0.47, "vector": 0.468},
            "standard_error": 0.004,
            "why": "temperature, from 412 out-of-fold answers",
        },
    }


def _weights(spec: dict) -> dict[str, float]:
    return dict(zip(spec["labels"], np.linspace(0.7, 1.4, len(spec["labels"])).round(3).tolist(), strict=True))


def _predict(
    rng: np.random.Generator, catalogue: pd.DataFrame, truth: np.ndarray, spec: dict, bad: bool
) -> pd.DataFrame:
    test = (catalogue["split"] == "test").to_numpy()
    labels = spec["labels"]
    true = truth[test]
    wrong = rng.random(len(true)) < (0.4 if bad else 0.12)
    predicted = np.where(wrong, rng.choice(labels, len(true)), true)
    confidence = rng.uniform(0.5, 0.99, len(true))
    frame = catalogue.loc[test, ["photo_id", "set_id"]].assign(label=true, predicted=predicted, confidence=confidence)
    frame["probabilities"] = [[1 / len(labels)] * len(labels)] * len(frame)
    return frame


def _estimate(value: float, spread: float = 0.05) -> dict:
    return {"value": round(value, 4), "low": round(max(0, value - spread), 4), "high": round(min(1, value + spread), 4)}


def _evaluated(predictions: pd.DataFrame, spec: dict, status: str) -> dict:
    if status == "dropped":
        return {"status": "dropped", "reason": "it was not trained", "winner": None}
    labels = spec["labels"]
    matrix = np.zeros((len(labels), len(labels)), int)
    for true, predicted in zip(predictions["label"], predictions["predicted"], strict=True):
        matrix[labels.index(true), labels.index(predicted)] += 1
    recall = [matrix[i, i] / matrix[i].sum() if matrix[i].sum() else 0.8 for i in range(len(labels))]
    precision = [matrix[i, i] / matrix[:, i].sum() if matrix[:, i].sum() else 0.8 for i in range(len(labels))]
    mean = float(np.mean(recall))
    mistakes = predictions[predictions["label"] != predictions["predicted"]].sort_values("confidence", ascending=False)
    silly = len(mistakes) // 2
    return {
        "status": status,
        "reason": "balanced accuracy is below its gate" if status == "failed" else "it clears every gate",
        "winner": "linear",
        "warnings": [],
        "photos": len(predictions),
        "sets": predictions["set_id"].nunique(),
        "labels": labels,
        "balanced_accuracy": _estimate(mean),
        "macro_f1": _estimate(mean - 0.01),
        "accuracy": _estimate(mean + 0.02),
        "per_label": {
            label: {
                "precision": _estimate(float(precision[i]), 0.1),
                "recall": _estimate(float(recall[i]), 0.06 + 0.05 * i),
                "support": int(matrix[i].sum()),
            }
            for i, label in enumerate(labels)
        },
        "confusion": matrix.tolist(),
        "ece_before": 0.084,
        "ece_after": 0.031,
        "temperature": 1.32,
        "log_loss": 0.41,
        "sensible_mistakes": len(mistakes) - silly,
        "silly_mistakes": silly,
        "gates": [
            {"gate": "min_balanced_accuracy", "limit": 0.85, "value": mean, "passed": status == "passed"},
            {"gate": "max_expected_calibration_error", "limit": 0.05, "value": 0.031, "passed": True},
        ],
        "mistakes": json.loads(mistakes[["photo_id", "label", "predicted", "confidence"]].to_json(orient="records")),
        "head_digest": "c" * 64,
    }


def _registered(status: str, challenger: bool) -> dict:
    if status != "passed":
        return {
            "status": "not-registered",
            "reason": "it passed no gate",
            "version": None,
            "run_id": None,
            "experiment_id": None,
            "champion_version": None,
        }
    return {
        "status": "challenger" if challenger else "champion",
        "reason": "version 3 is better on the same test photos" if challenger else "it is better than version 2",
        "version": "4" if challenger else "3",
        "run_id": "e" * 32,
        "experiment_id": "1",
        "champion_version": "3",
        "champion_metric": 0.88,
        "challenger_metric": 0.86,
        "head_digest": "d" * 64,
    }


@pytest.fixture
def build(tmp_path: Path):
    """Function that calls `fabricate` in a folder of the test."""

    def make(**settings: object) -> Chain:
        return fabricate(tmp_path, **settings)

    return make


@pytest.fixture(scope="session")
def showroom(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A run with a good, a failed, a dropped and an unpackaged skill."""
    return fabricate(
        tmp_path_factory.mktemp("showroom"),
        failed=("image-quality",),
        dropped=("body-type",),
        challengers=("colour",),
    )
