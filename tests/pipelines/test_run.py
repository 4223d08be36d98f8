"""`coachworks run`, the whole way: from photos to answers, on the real libraries."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_fleet import call

from coachworks.fleet.reader import read_fleet
from coachworks.results import ancestor, latest, load
from coachworks.runs import read_progress
from coachworks.steps import CHAIN, OPTIONAL
from coachworks.store import FolderStore
from coachworks.verify import verify
from components.package.report import PackageReport
from serving.bundle import load_bundle
from serving.predictor import Predictor

STEPS = [step for step in CHAIN if step not in OPTIONAL]
HEAVY = {"torch", "pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "cv2", "albumentations", "onnx"} | {
    "onnxruntime", "great_expectations", "mlflow", "bentoml", "kfp", "typst", "boto3", "kubernetes"
}  # fmt: skip

pytestmark = pytest.mark.timeout(600)


def rows(table: dict) -> dict:
    return {row["skill"]: row for row in table["skills"]}


def test_a_first_run_trains_registers_and_documents_every_skill_that_can_be(toys) -> None:
    table = toys.table
    by_skill = rows(table)
    assert {name: row["status"] for name, row in by_skill.items()} == {
        "colour": "passed",
        "shape": "passed",
        "hopeless": "dropped",
    }, toys.done.stderr
    assert by_skill["colour"]["registration"] == "champion"
    assert by_skill["colour"]["photos"] == 108
    low, value, high = (by_skill["colour"]["balanced_accuracy"][k] for k in ("low", "value", "high"))
    assert 0.5 <= low <= value <= high <= 1


def test_a_skill_that_fails_its_gate_says_why_and_makes_the_run_exit_with_1(toys) -> None:
    assert toys.done.returncode == 1
    assert "500" in rows(toys.table)["hopeless"]["next"]


def test_the_table_is_alone_on_standard_output_and_progress_on_standard_error(toys) -> None:
    assert toys.table["fleet"] == "toys"
    for step in ("ingest", "embed", "document"):
        assert f"✓ {step}" in toys.done.stderr
    log = Path(toys.table["paths"]["log"]).read_text()
    assert [line.split()[1] for line in log.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)] == STEPS


def test_the_places_it_names_are_there(toys) -> None:
    for name in ("document", "validation", "contact_sheet", "evaluation"):
        assert Path(toys.table["paths"][name]).stat().st_size > 500, name


def test_every_trained_skill_has_a_table_and_a_page_of_suspicious_labels(toys) -> None:
    [result] = [report.parent for report in (toys.folder / "store" / "results" / "train").glob("*/report.json")]
    for skill, report in json.loads((result / "report.json").read_text())["report"]["skills"].items():
        if report["status"] == "trained":
            noise, table = report["label_noise"], (result / skill / "suspicious-labels.csv").read_text("utf-8-sig")
            assert noise["photos"] == report["photos"]["train"] + report["photos"]["validation"]
            assert noise["level"]["low"] <= noise["level"]["value"] <= noise["level"]["high"] < 0.5
            assert len(table.splitlines()) == 1 + noise["suspicious"]
            assert (result / skill / "suspicious-labels.html").stat().st_size > 2000
        else:
            assert report["label_noise"] is None


@pytest.mark.slow  # test_runs.py holds its state; the steps hold that they continue
def test_a_killed_run_is_interrupted_and_the_next_continues_where_it_was(
    toys_folder, kill_while_embedding, run_coachworks, coachworks_here
) -> None:
    kill_while_embedding(toys_folder)
    interrupted = json.loads(coachworks_here("status", "--json", cwd=toys_folder).stdout)
    assert interrupted["state"] == "interrupted"
    assert "`coachworks run` continues" in interrupted["skills"][0]["next"]
    done = run_coachworks("run", "--json", cwd=toys_folder)
    lines = {line.split()[1]: line for line in done.stderr.splitlines() if line.startswith("✓ ")}
    assert {step: "reused" in line for step, line in lines.items()} == {
        step: step in {"ingest", "split", "validate", "augment"} for step in lines
    }


def test_every_object_of_the_finished_store_is_of_a_known_kind_and_has_a_digest(toys) -> None:
    outcome = verify(FolderStore(toys.folder / "store"))
    assert (outcome.findings, outcome.unknown, outcome.undigested) == ([], [], [])
    assert outcome.objects > 100


def test_status_shows_the_same_table_again(toys, coachworks_here) -> None:
    shown = coachworks_here("status", "--json", cwd=toys.folder)
    assert json.loads(shown.stdout)["skills"] == toys.table["skills"]
    assert shown.exit_code == 1
    text = coachworks_here("status", cwd=toys.folder).stdout
    assert "colour" in text
    assert "dropped" in text


def test_a_photo_is_answered_from_the_packaged_models(toys, coachworks_here) -> None:
    photo = toys.folder / "photos" / "thing000-0.jpg"
    done = coachworks_here("predict", photo, "--json", cwd=toys.folder)
    assert done.exit_code == 0, done.stderr
    assert '"red"' in done.stdout
    assert "hopeless" not in done.stdout


def test_the_packaged_models_answer_as_evaluate_recorded(toys) -> None:
    store = FolderStore(toys.folder / "store")
    packaged = load(store, PackageReport, latest(store, "package"))
    evaluated = ancestor(store, packaged, "evaluate")
    uris = pd.read_parquet(ancestor(store, packaged, "ingest").path / "catalogue.parquet").set_index("photo_id")["uri"]
    predictor = Predictor(load_bundle(packaged.path / "bundle"))
    assert json.loads((packaged.path / "bento.json").read_text())["tag"].startswith("toys:")
    for skill in packaged.report.skills:
        recorded = pd.read_parquet(evaluated.path / skill / "predictions.parquet")
        assert len(recorded) > 5
        photos = [Path(store.fetch(uris[photo_id])).read_bytes() for photo_id in recorded["photo_id"]]
        answers = [each[skill] for each in predictor.answer(photos, [skill], probabilities=True)]
        assert [answer.label for answer in answers] == recorded["predicted"].tolist()
        served = np.array([list((answer.probabilities or {}).values()) for answer in answers])
        np.testing.assert_allclose(served, np.stack(recorded["probabilities"].to_list()), atol=1e-4)


@pytest.fixture(scope="module")
def again(toys) -> Iterator[subprocess.CompletedProcess[str]]:
    """A second run with nothing changed, both of whose processes report what they import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        yield call("run", "--json", cwd=toys.folder)


def test_again_with_nothing_changed_reuses_everything_and_registers_nothing(toys, again) -> None:
    table = json.loads(again.stdout)
    assert "Nothing has changed" in again.stderr
    assert table["unchanged"] is True
    assert table["run"] != toys.table["run"]
    assert [row["version"] for row in table["skills"]] == [row["version"] for row in toys.table["skills"]]


def test_again_with_nothing_changed_neither_process_imports_a_heavy_library(again) -> None:
    log = Path(json.loads(again.stdout)["paths"]["log"]).read_text()
    for imports in (again.stderr, log):
        modules = {line.rpartition("|")[2].strip() for line in imports.splitlines() if line.startswith("import time:")}
        assert "coachworks.results" in modules
        assert not {module.partition(".")[0] for module in modules} & HEAVY


@pytest.mark.slow  # test_step.py of embed holds it for the step
def test_the_features_of_an_emptied_cache_are_computed_again_by_a_run_with_nothing_changed(toys) -> None:
    store = FolderStore(toys.folder / "store")
    shutil.rmtree(store.root / "features")
    table = json.loads(call("run", "--json", cwd=toys.folder).stdout)
    assert table["unchanged"] is True
    (embedded,) = (state for state in read_progress(store, table["run"]) if state["step"] == "embed")
    assert any(re.match(r"0 of \d+ features are cached", note) for note in embedded["notes"]), embedded["notes"]
    assert len(list((store.root / "features").rglob("*.safetensors"))) > 1


def test_a_run_with_nothing_changed_notices_a_damaged_result(toys) -> None:
    report = (toys.folder / "store" / "latest" / "train" / "report.json").resolve()
    intact = report.read_bytes()
    report.write_bytes(intact.replace(b"trained", b"drained"))
    try:
        done = call("run", "--json", cwd=toys.folder)
    finally:
        report.write_bytes(intact)
    table = json.loads(done.stdout)
    assert (table["state"], table["errors"][0]["step"]) == ("failed", "train")
    assert re.search(r"/report.json' of the store .* is damaged", table["errors"][0]["message"])


@pytest.mark.slow  # test_compiled.py holds the order and the inputs, the tests of the faces everything else
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # of settings for pods
def test_kfp_local_comes_to_the_very_result_of_the_run(toys, tmp_path) -> None:
    from kfp import local

    from pipelines.fleet import compose

    fleet = read_fleet(toys.folder / "fleet.yaml")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path), enable_caching=False)
    task = compose()(fleet=fleet.to_json(), recipe=fleet.to_json(), lanes=fleet.lanes())
    assert task.outputs["Output"] == latest(FolderStore(toys.folder / "store"), "document")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_s_command_comes_to_the_very_result_of_the_pipeline_s_component(
    toys, coachworks_here, step: str
) -> None:
    key = latest(FolderStore(toys.folder / "store"), step)
    done = coachworks_here(step, "--json", cwd=toys.folder)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["key"] == key
    assert Path(document["path"]).is_dir()
    assert "reused" in done.stderr


def test_a_dry_run_says_what_would_be_done_and_does_nothing(toys, coachworks_here) -> None:
    def planned(*arguments: str) -> dict[str, str]:
        done = coachworks_here("run", "--dry-run", "--json", *arguments, cwd=toys.folder)
        return {step["step"]: step["state"] for step in json.loads(done.stdout)}

    runs = sorted((toys.folder / "store" / "runs").iterdir())
    assert set(planned().values()) == {"reuse"}
    fresh = planned("--from", "train")
    assert (fresh["embed"], fresh["train"], fresh["evaluate"]) == ("reuse", "do", "follows")
    assert sorted((toys.folder / "store" / "runs").iterdir()) == runs


def test_an_unknown_skill_is_refused_with_the_way_out(toys, run_coachworks) -> None:
    done = run_coachworks("run", "--only", "shapes", cwd=toys.folder)
    assert done.returncode == 2
    assert "Did you mean `shape`?" in done.stderr


@pytest.mark.slow  # the steps hold both: ingest/test_again.py new photos, package/test_package.py skills that stay
def test_new_photos_are_taken_in_and_only_the_skills_named_are_trained(toys, run_coachworks, more_toys) -> None:
    more_toys(toys.folder, 24)
    done = run_coachworks("run", "--json", "--only", "shape", cwd=toys.folder)
    assert done.returncode == 0, done.stderr
    assert {skill: row["photos"] for skill, row in rows(json.loads(done.stdout)).items()} == {"shape": 180}
    answers = run_coachworks("predict", toys.folder / "photos" / "thing000-0.jpg", "--json", cwd=toys.folder).stdout
    assert '"colour"' in answers


def test_a_step_that_fails_says_why_in_its_own_words(tmp_path, run_coachworks) -> None:
    fleet = "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {name: lost}\nspec:\n"
    fleet += "  sources: [{photos: ./nowhere}]\n  skills: {colour: {labels: [red, blue]}}\n"
    (tmp_path / "fleet.yaml").write_text(fleet)
    done = run_coachworks("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "ingest failed: " in done.stdout
    assert "nowhere" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (log,) = re.findall(r"^Log +(.+)$", done.stdout, re.MULTILINE)
    assert "NotFoundError" in Path(log).read_text()
