"""The figures of every step in the dashboard of Kubeflow Pipelines."""

import importlib
import json
import math

import pytest
from kfp import dsl

import components
from coachworks.result import Result
from coachworks.steps import discover
from coachworks.store import FolderStore
from components.dashboard import all_numbers, show_numbers, show_page, subject
from reports import report_of

STEPS = [step.name for step in discover(components)]

REPORTS = {
    "ingest": {
        "photos": 84,
        "new_photos": 4,
        "duplicates": 2,
        "rejected": {"truncated": 1, "missing": 3},
        "ignored": 1,
        "skills": {},
        "sets": 12,
        "sources": {"garage": 80, "site": 4},
        "unlabelled": 5,
        "remarks": [],
        "remarks_count": 7,
    },
    "split": {
        "photos": {"train": 60, "validation": 12, "test": 12},
        "sets": {"train": 8, "validation": 2, "test": 2},
        "skills": {},
        "remembered": 11,
        "demanded": 1,
        "conflicts": [{"message": "…"}],
    },
    "validate": {
        "skills": {
            "view": {"passed": True, "failures": [], "warnings": [{"check": "x"}]},
            "light": {"passed": False, "failures": [{"check": "y"}], "warnings": []},
        },
        "findings": [{"severity": "failure"}, {"severity": "warning"}, {"severity": "warning"}],
        "photos": 84,
        "expectations": 33,
        "near_duplicates": 2,
    },
    "augment": {"views": 2, "policy_digest": "a", "transforms": ["Flip", "Crop"], "photos_shown": 12},
    "embed": {
        "photos": 84,
        "computed": 100,
        "reused": 104,
        "dimensions": 1280,
        "views": 2,
        "seconds": 5.5,
        "photos_per_second": 18.1818181,
        "workers": 2,
    },
    "train": {
        "skills": {
            "view": {
                "status": "trained",
                "winner": "linear",
                "refit_seconds": 0.5,
                "label_noise": {"level": {"value": 0.04, "low": 0.02, "high": 0.07}},
                "candidates": {
                    "linear": {"validation_balanced_accuracy": 0.9, "seconds": 1.0},
                    "knn": {"validation_balanced_accuracy": 0.8, "seconds": 2.0},
                },
                "imbalance": {
                    "policy": "balanced",
                    "trials": [
                        {"policy": "balanced", "balanced_accuracy": 0.9, "standard_error": 0.0},
                        {"policy": "none", "balanced_accuracy": 0.75, "standard_error": 0.02},
                    ],
                },
            },
            "light": {"status": "dropped", "winner": None, "refit_seconds": 0.0, "candidates": {}},
        },
        "explained_variance": None,
    },
    "evaluate": {
        "skills": {
            "view": {
                "status": "failed",
                "winner": "linear",
                "balanced_accuracy": {"value": 2 / 3, "low": 0.5, "high": 0.8},
                "ece_after": 0.04,
                "sensible_mistakes": 2,
                "silly_mistakes": 1,
                "photos": 12,
            },
            "light": {"status": "dropped", "winner": None},
        }
    },
    "register": {
        "skills": {
            "view": {"status": "challenger", "champion_version": "3"},
            "light": {"status": "not-registered", "champion_version": None},
        }
    },
    "package": {"bento": None, "skills": {"view": {}}, "left_out": {"light": "dropped"}, "bytes": 17_400_000},
    "document": {
        "documents": {"fleet": {}, "view": {}},
        "pdf_engine": "typst",
        "statuses": {"view": "ready", "light": "left out"},
    },
    "deploy": {
        "revision": 7,
        "skills": {"view": {"version": "4", "before": "3"}, "light": {"version": "2", "before": "2"}},
        "awaiting": {"light": "coachworks approve light 3"},
        "left_out": {},
        "smoke": 16,
        "stages": [{"name": "soak", "revision": 0, "seconds": 20.5}],
        "soak": [
            {"track": "stable", "requests": 90, "errors": 0, "p50_s": 0.1, "p95_s": 0.2},
            {"track": "canary", "requests": 31, "errors": 1, "p50_s": 0.1, "p95_s": 0.2},
        ],
    },
}

TELLING = {
    "ingest": {"photos": 84, "photos: new": 4, "files: duplicates": 2, "files: rejected": 4},
    "split": {"sets: train": 8, "photos: test": 12, "conflicts": 1},
    "validate": {"skills: may train": 1, "skills: stopped": 1, "findings: warning": 2, "findings: info": 0},
    "augment": {"views per training photo": 2, "transforms": 2},
    "embed": {"features: computed": 100, "features: reused": 104, "photos: per second, views counted": 18.181818},
    "train": {
        "candidates": 2,
        "validation balanced accuracy: view": 0.9,
        "imbalance: balanced accuracy of view with balanced (chosen)": 0.9,
        "imbalance: balanced accuracy of view with none": 0.75,
        "labels wrong, estimated: view": 0.04,
        "seconds: training view": 3.5,
    },
    "evaluate": {"balanced accuracy: view": 0.666667, "mistakes: view": 3, "skills: passed": 0, "skills: dropped": 1},
    "register": {"champion version: view": 3, "skills: challenger": 1, "skills: champion": 0},
    "package": {"skills: in the bundle": 1, "skills: left out": 1, "bundle: bytes": 17_400_000},
    "document": {"documents": 2, "skills: ready": 1, "skills: left out": 1},
    "deploy": {"revision": 7, "skills: released": 2, "skills: new versions": 1, "soak: errors, canary": 1},
}


def report_class(step):
    report = importlib.import_module(f"components.{step}.report")
    return getattr(report, f"{step.capitalize()}Report")


def figures_of(step):
    return importlib.import_module(f"components.{step}.dashboard").numbers


def result_of(step, tmp_path, report=None, **changes):
    values = {
        "step": step,
        "key": "a" * 32,
        "store": FolderStore(tmp_path / "store"),
        "inputs": {},
        "report": report_of(report_class(step), report or REPORTS[step]),
        "created_at": "2026-01-01T00:00:00+00:00",
        "duration_s": 1.25,
    }
    return Result(**values | changes)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_tells_its_numbers_as_its_report_has_them(step, tmp_path):
    figures = all_numbers(result_of(step, tmp_path, reused=True), figures_of(step))
    assert figures.items() >= {**TELLING[step], "seconds": 1.25, "reused": 1.0}.items()
    assert all(isinstance(value, float) and math.isfinite(value) for value in figures.values())


@pytest.mark.parametrize("step", ["ingest", "split", "validate", "augment", "embed", "package", "document"])
def test_what_is_told_of_a_whole_fleet_fits_on_one_page_of_the_dashboard(step, tmp_path):
    report = REPORTS[step] | ({"rejected": {}} if step == "ingest" else {})
    assert len(all_numbers(result_of(step, tmp_path, report), figures_of(step))) <= 10


@pytest.mark.parametrize("step", STEPS)
def test_every_component_hands_numbers_to_the_dashboard(step):
    component = getattr(importlib.import_module(f"components.{step}.component"), step)
    kinds = [output.type for output in component.component_spec.outputs.values()]
    assert "system.Metrics@0.0.1" in kinds


def test_what_is_not_known_is_no_number(tmp_path):
    report = REPORTS["train"] | {"explained_variance": float("nan")}
    assert "explained variance" not in all_numbers(result_of("train", tmp_path, report), figures_of("train"))
    assert "explained variance" not in all_numbers(result_of("train", tmp_path), figures_of("train"))


def test_the_numbers_are_named_for_people_and_can_be_stored(tmp_path):
    metrics = dsl.Metrics(uri=str(tmp_path / "metrics"))
    show_numbers(result_of("train", tmp_path), figures_of("train"), metrics)
    assert metrics.metadata["display_name"] == "train: view, light"
    json.dumps(metrics.metadata, allow_nan=False)


def test_a_long_lane_is_named_by_its_first_skills(tmp_path):
    skills = {f"skill-{number}": REPORTS["evaluate"]["skills"]["light"] for number in range(35)}
    assert subject(result_of("evaluate", tmp_path, {"skills": skills})) == (
        "evaluate: skill-0, skill-1, skill-2 and 32 more"
    )


def test_links_within_a_page_stay_within_it_in_the_dashboard(tmp_path):
    page = dsl.HTML(uri=str(tmp_path / "artifact"))
    page.path = str(tmp_path / "artifact")
    show_page('<html><head><title>ü</title></head><a href="#a">a</a></html>', page, "Validation")
    html = (tmp_path / "artifact").read_text("utf-8")
    assert html == '<html><head><base href="about:srcdoc"><title>ü</title></head><a href="#a">a</a></html>'
    assert page.metadata["display_name"] == "Validation"
