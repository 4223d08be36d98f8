"""The summary of a run: from the reports of its steps, also from those of an earlier version of coachworks."""

import dataclasses
import io
import json
import time
from typing import Any

import pytest
from rich.console import Console
from small_fleets import small_fleet

from coachworks.cli.table import show
from coachworks.context import Context
from coachworks.digests import digest_json
from coachworks.results import jsonable, produce
from coachworks.runs import SUCCEEDED, Run
from coachworks.store import FolderStore
from components.deploy.report import DeployReport
from components.evaluate.report import EvaluateReport
from components.package.report import PackageReport
from components.register.report import RegisterReport
from components.train.report import TrainReport
from pipelines.summary import summarise
from reports import report_of

FLEET = small_fleet({name: {"labels": ["yes", "no"]} for name in ("view", "light")}, name="cars")
REPORTS: dict[str, Any] = {
    "train": report_of(TrainReport, {"skills": {"view": {"status": "trained", "photos": {"train": 6, "test": 2}}}}),
    "evaluate": report_of(
        EvaluateReport,
        {
            "skills": {
                "view": {"status": "passed", "winner": "linear", "balanced_accuracy": {"value": 0.9, "low": None}},
                "light": {"status": "dropped", "reason": "too few photos"},
            }
        },
    ),
    "register": report_of(
        RegisterReport,
        {
            "skills": {
                "view": {
                    "status": "challenger",
                    "reason": "no better",
                    "version": "4",
                    "champion_version": "3",
                    "champion_metric": 0.92,
                }
            }
        },
    ),
    "package": report_of(PackageReport, {"bento": "cars:abc"}),
}


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path)


def run_with(store: FolderStore, **reports: Any) -> Run:
    """A finished run of one lane; steps without a report have an empty one."""

    def key(step: str, upstream: dict[str, Any]) -> str:
        report = jsonable((REPORTS | reports).get(step, {}))
        return produce(step, upstream, lambda folder: report, context=Context(store), code=digest_json(report)).key

    latest, before = key("ingest", {}), "ingest"
    for step in ("split", "validate", "augment", "embed", "train", "evaluate", "register"):
        latest, before = key(step, {before: latest}), step
    document = key("document", {"package": key("package", {"register": [latest]})})
    deployed = key("deploy", {"document": document}) if "deploy" in reports else None
    run = Run(id="r", fleet=FLEET.to_json(), lanes=[["view", "light"]], state=SUCCEEDED, document=document)
    return dataclasses.replace(run, deployed=deployed, ended_at=1.0)


def test_a_row_joins_what_training_evaluation_and_registration_report(store: FolderStore) -> None:
    summary = summarise(store, run_with(store))
    view, light = summary.skills
    assert (view.status, view.photos, view.winner, view.version) == ("passed", 8, "linear", "3")
    assert (view.registration, view.next) == ("challenger", "no better")
    assert (view.registered_version, view.champion_accuracy) == ("4", 0.92)
    assert view.balanced_accuracy == {"value": 0.9, "low": None, "high": 0.0}
    assert (light.status, light.photos, light.next) == ("dropped", None, "too few photos")
    assert summary.paths["bento"] == "cars:abc"
    json.dumps(jsonable(summary), allow_nan=False)


def test_a_run_that_began_after_all_its_results_were_made_changed_nothing(store: FolderStore) -> None:
    run = run_with(store)
    assert summarise(store, run).unchanged is False
    assert summarise(store, dataclasses.replace(run, started_at=time.time() + 60)).unchanged is True


def test_a_run_of_an_earlier_version_is_shown_with_the_reason_and_its_documents(store: FolderStore) -> None:
    summary = summarise(store, run_with(store, evaluate={"skills": {"view": {"verdict": "passed"}}}))
    assert [row.status for row in summary.skills] == ["unknown", "unknown"]
    assert "must have the fields that this version of coachworks writes" in summary.skills[0].next
    assert summary.paths["document"].endswith("/index.html")


def test_a_deployment_is_summarised_unless_an_earlier_version_reported_it(store: FolderStore) -> None:
    report = report_of(DeployReport, {"status": "deployed", "release": "cars"})
    deployment = summarise(store, run_with(store, deploy=report)).deployment
    assert deployment
    assert (deployment.status, deployment.release) == (report.status, report.release)
    assert summarise(store, run_with(store, deploy={"status": "deployed", "name": "cars"})).deployment is None


def test_a_run_whose_deployment_was_refused_has_not_passed_and_says_why(store: FolderStore) -> None:
    passed = {"skills": {name: {"status": "passed", "winner": "linear"} for name in ("view", "light")}}
    evaluate = report_of(EvaluateReport, passed)
    assert summarise(store, run_with(store, evaluate=evaluate)).passed
    settings = {
        "status": "refused",
        "release": "cars",
        "namespace": "models",
        "refused": {"wheel": "wheel: it is gone."},
    }
    summary = summarise(store, run_with(store, evaluate=evaluate, deploy=report_of(DeployReport, settings)))
    assert not summary.passed
    console = Console(file=io.StringIO(), width=120)
    show(summary, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Deployment refused: release cars in models\nwheel: it is gone.\n" in text
