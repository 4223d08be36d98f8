import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from coachworks.digests import digest_file
from coachworks.errors import NotFoundError
from coachworks.features import load_features
from coachworks.models.head import load_head, softmax
from coachworks.results import ancestor, load
from coachworks.store import open_store
from components.embed.report import EmbedReport
from components.evaluate.calibration import reliability
from components.evaluate.config import EvaluateConfig
from components.evaluate.report import EvaluateReport
from components.evaluate.step import evaluate
from components.train.step import train

FILES = {
    "head.safetensors",
    "predictions.parquet",
    "confusion.png",
    "calibration.png",
    "mistakes.jpg",
    "right.jpg",
}


def test_train_reports_every_candidate_and_why_the_winner_won(drawn):
    _, trained, _ = drawn
    skill = trained.report.skills["color"]
    assert skill.status == "trained"
    assert skill.labels == ["red", "green", "blue"]
    assert skill.photos == {"train": 108, "validation": 36, "test": 36}
    assert set(skill.candidates) == {"linear", "knn"}
    assert skill.winner in skill.why
    for name, candidate in skill.candidates.items():
        assert candidate.validation_balanced_accuracy > 0.8
        assert candidate.seconds >= 0
        assert candidate.parameters
        assert load_head(trained.path / "color" / f"{name}.safetensors").kind == name
    assert trained.report.backbone_digest == "b" * 64
    assert trained.report.policy_digest == "a" * 64


CALIBRATED = {
    "temperature": "temperature, from {0.calibration.photos} out-of-fold answers: log loss ",
    "vector": "vector scaling, from {0.calibration.photos} out-of-fold answers: log loss ",
}


def test_the_winner_is_refitted_and_the_losers_stay_as_they_competed(drawn):
    from sklearn.metrics import balanced_accuracy_score

    fleet, trained, _ = drawn
    store = open_store(fleet.spec.store)
    embed = ancestor(store, trained, EmbedReport)
    labels = pd.read_parquet(ancestor(store, trained, "split").path / "labels.parquet")
    for skill, record in trained.report.skills.items():
        assert record.refitted is True
        photos = record.winner_photos
        assert photos == record.photos["train"] + record.photos["validation"]
        assert 0.9 * photos < record.calibration.photos <= photos or record.calibration.photos == 27
        assert record.calibration.why.startswith(CALIBRATED[record.calibration.method].format(record))
        assert record.why.endswith(
            f". With its settings it was then fitted again on all {photos} training and validation photos"
        )
        held_out = labels[(labels["skill"] == skill) & (labels["split"] == "validation")]
        features = load_features(store, embed.report, held_out["photo_id"].tolist(), 0)
        for name, candidate in record.candidates.items():
            head = load_head(trained.path / skill / f"{name}.safetensors")
            if name == record.winner:
                assert head.temperature == record.temperature
                assert (head.temperature == 1) == (record.calibration.method == "vector")
                continue
            assert head.temperature == 1
            answers = [record.labels[index] for index in head.logits(features).argmax(1)]
            assert balanced_accuracy_score(held_out["label"], answers) == pytest.approx(
                candidate.validation_balanced_accuracy
            )


def test_without_validation_photos_nothing_is_refitted(tmp_path, draw_chain):
    fleet, embed = draw_chain(tmp_path, candidates=("linear",), unlabelled=("size", "validation"))
    trained = train(fleet, embed)
    record = trained.report.skills["size"]
    assert (record.refitted, record.temperature, record.winner_photos) == (False, 1, 81)
    assert record.why.endswith("there are no validation photos to compare by")
    assert load_head(trained.path / "size" / "linear.safetensors").temperature == 1
    assert trained.report.skills["color"].refitted
    evaluated = evaluate(fleet, trained.key).report.skills["size"]
    assert evaluated.ece_before == evaluated.ece_after


def test_photos_without_a_label_of_the_skill_are_left_out(drawn):
    _, trained, evaluated = drawn
    assert trained.report.skills["size"].photos == {"train": 81, "validation": 27, "test": 27}
    assert evaluated.report.skills["size"].photos == 27


def test_evaluate_writes_every_file_of_a_skill(drawn):
    _, _, evaluated = drawn
    for skill in ("color", "size"):
        assert {path.name for path in (evaluated.path / skill).iterdir()} == FILES
        for picture in ("confusion.png", "calibration.png", "mistakes.jpg", "right.jpg"):
            with Image.open(evaluated.path / skill / picture) as image:
                assert min(image.size) > 40
        record = evaluated.report.skills[skill]
        assert record.head_digest == digest_file(evaluated.path / skill / "head.safetensors")


def test_the_numbers_are_those_of_scikit_learn_on_the_predictions(drawn):
    from sklearn import metrics

    _, _, evaluated = drawn
    for skill in ("color", "size"):
        record = evaluated.report.skills[skill]
        table = pd.read_parquet(evaluated.path / skill / "predictions.parquet")
        labels, truth, answers = record.labels, table["label"], table["predicted"]
        assert record.balanced_accuracy.value == pytest.approx(metrics.balanced_accuracy_score(truth, answers))
        assert record.accuracy.value == pytest.approx((truth == answers).mean())
        assert record.macro_f1.value == pytest.approx(metrics.f1_score(truth, answers, average="macro"))
        assert record.confusion == metrics.confusion_matrix(truth, answers, labels=labels).tolist()
        probabilities = np.stack(table["probabilities"])
        assert_allclose(probabilities.sum(1), 1, atol=1e-5)
        assert_allclose(probabilities.max(1), table["confidence"])
        columns = [sorted(labels).index(label) for label in labels]
        ordered = np.empty_like(probabilities)
        ordered[:, columns] = probabilities / probabilities.sum(1, keepdims=True)  # float32 rounds
        assert record.log_loss == pytest.approx(metrics.log_loss(truth, ordered, labels=sorted(labels)), rel=1e-4)
        wrong = int((truth != answers).sum())
        assert record.sensible_mistakes + record.silly_mistakes == wrong == len(record.mistakes)
        for label, row in record.per_label.items():
            assert row.support == (truth == label).sum()
            assert row.recall.low <= row.recall.value <= row.recall.high


def test_the_head_that_is_kept_gives_the_predictions_that_were_judged(drawn):
    fleet, trained, evaluated = drawn
    head = load_head(evaluated.path / "color" / "head.safetensors")
    table = pd.read_parquet(evaluated.path / "color" / "predictions.parquet")
    store = open_store(fleet.spec.store)
    embed = ancestor(store, trained, EmbedReport)
    features = load_features(store, embed.report, table["photo_id"].tolist(), 0)
    assert_allclose(head.probabilities(features), np.stack(table["probabilities"]), atol=1e-6)
    assert head.temperature == evaluated.report.skills["color"].temperature
    assert head.backbone_digest == "b" * 64


def test_evaluate_fits_nothing_and_copies_the_head_of_train(drawn):
    fleet, trained, evaluated = drawn
    store = open_store(fleet.spec.store)
    for skill, record in evaluated.report.skills.items():
        table = pd.read_parquet(evaluated.path / skill / "predictions.parquet")
        head = load_head(trained.path / skill / f"{record.winner}.safetensors")
        handed_on = evaluated.path / skill / "head.safetensors"
        assert digest_file(handed_on) == digest_file(trained.path / skill / f"{record.winner}.safetensors")
        features = load_features(store, ancestor(store, trained, EmbedReport).report, table["photo_id"].tolist(), 0)
        answers = np.array([record.labels.index(label) for label in table["label"]])
        for temperature, error in ((1.0, record.ece_before), (head.temperature, record.ece_after)):
            probabilities = softmax(head.logits(features), temperature)
            assert error == pytest.approx(reliability(probabilities, answers, 15).expected_error)


def test_only_test_photos_are_judged(drawn):
    fleet, _, evaluated = drawn
    splits = pd.read_parquet(ancestor(open_store(fleet.spec.store), evaluated, "split").path / "splits.parquet")
    judged = set(pd.read_parquet(evaluated.path / "size" / "predictions.parquet")["photo_id"])
    assert judged <= set(splits.loc[splits["split"] == "test", "photo_id"])


def test_gates_decide_skill_by_skill(drawn):
    _, _, evaluated = drawn
    skills = evaluated.report.skills
    assert skills["color"].status == "passed"
    assert skills["size"].status == "failed"
    assert "below the gate 0.8" in skills["size"].reason
    assert {gate.gate for gate in skills["color"].gates} == {
        "min_balanced_accuracy",
        "max_expected_calibration_error",
    }


def test_the_page_is_self_contained_and_escapes_labels(tmp_path, draw_chain):
    wicked = {"color": {"labels": ["red", "green", "blue"], "question": "<script>alert(1)</script>"}}
    fleet, embed = draw_chain(tmp_path, skills=wicked)
    page = (evaluate(fleet, train(fleet, embed).key).path / "page.html").read_text("utf-8")
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert page.count("data:image/") == 4


def test_work_that_was_done_is_reused_without_a_heavy_library(drawn):
    fleet, trained, evaluated = drawn
    embed = ancestor(open_store(fleet.spec.store), trained, "embed").key
    script = (
        "import sys, json\n"
        "from coachworks.fleet.model import Fleet\n"
        "from components.train.step import train\n"
        "from components.evaluate.step import evaluate\n"
        f"fleet = Fleet.from_json({fleet.to_json()!r})\n"
        f"trained = train(fleet, {embed!r})\n"
        "evaluated = evaluate(fleet, trained.key)\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules)\n"
        "print(json.dumps([trained.key, evaluated.key, trained.reused, evaluated.reused, sorted(heavy)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [trained.key, evaluated.key, True, True, []]


def test_training_again_gives_the_same_bytes(drawn, tmp_path, draw_chain):
    _, trained, _ = drawn
    fleet, embed = draw_chain(tmp_path, gates={"minBalancedAccuracy": 0.8, "maxExpectedCalibrationError": 0.3})
    again = train(fleet, embed)
    for name in ("linear", "knn"):
        path = f"color/{name}.safetensors"
        assert digest_file(again.path / path) == digest_file(trained.path / path)


def test_a_gate_changes_the_verdict_without_training_again(drawn, tmp_path, draw_chain):
    _, trained, evaluated = drawn
    stricter, embed = draw_chain(tmp_path, gates={"minBalancedAccuracy": 0.999})
    assert train(stricter, embed).key == trained.key
    assert evaluate(stricter, trained.key).key != evaluated.key


def test_a_skill_that_failed_validation_is_dropped_and_the_others_go_on(tmp_path, draw_chain):
    fleet, embed = draw_chain(tmp_path, failures=("size",), candidates=("linear",))
    trained = train(fleet, embed)
    evaluated = evaluate(fleet, trained.key)
    for result in (trained, evaluated):
        skills = result.report.skills
        assert skills["size"].status == "dropped"
        assert skills["size"].reason == "it did not pass validate: photos leak across splits"
    assert trained.report.skills["color"].status == "trained"
    assert evaluated.report.skills["color"].status == "passed"
    assert not (evaluated.path / "size").exists()


def test_a_label_without_training_photos_drops_only_its_skill(tmp_path, draw_chain):
    skills = {
        "color": {"labels": ["red", "green", "blue", "mauve"]},
        "size": {"labels": ["small", "large"]},
    }
    fleet, embed = draw_chain(tmp_path, skills=skills, candidates=("naive-bayes",))
    report = train(fleet, embed).report.skills
    assert report["color"].status == "dropped"
    assert report["color"].reason == (
        "no training photo carries 'mauve'. Label photos of it, or take it out of the skill's labels"
    )
    assert report["size"].status == "trained"


def test_a_lane_without_a_skill_to_train_is_still_reported(tmp_path, draw_chain):
    fleet, embed = draw_chain(tmp_path, failures=("size", "color"))
    evaluated = evaluate(fleet, train(fleet, embed).key)
    assert {skill.status for skill in evaluated.report.skills.values()} == {"dropped"}
    assert "did not pass validate" in (evaluated.path / "page.html").read_text("utf-8")


def test_a_lane_holds_only_its_skills(tmp_path, draw_chain):
    fleet, embed = draw_chain(tmp_path, candidates=("linear",))
    trained = train(fleet, embed, ["size"])
    assert set(trained.report.skills) == {"size"}
    assert set(evaluate(fleet, trained.key, ["size"]).report.skills) == {"size"}


@pytest.mark.parametrize("photos", [5, 8, 10])
def test_a_handful_of_photos_is_judged_or_dropped_but_never_fatal(tmp_path, draw_chain, photos):
    fleet, embed = draw_chain(tmp_path, photos=photos)
    report = evaluate(fleet, train(fleet, embed).key).report.skills
    assert report["color"].status in {"passed", "failed", "dropped"}
    if report["color"].status != "dropped":
        absent = [row for row in report["color"].per_label.values() if not row.support]
        assert all(math.isnan(row.recall.value) and math.isnan(row.recall.low) for row in absent)


def test_a_missing_result_is_named(tmp_path, draw_chain):
    fleet, _ = draw_chain(tmp_path)
    with pytest.raises(NotFoundError, match="no result of the step 'embed' under 'none'"):
        train(fleet, "none")
    with pytest.raises(NotFoundError, match="no result of the step 'train' under 'none'"):
        evaluate(fleet, "none")


def test_a_contact_sheet_has_at_most_the_configured_number_of_pictures(drawn):
    fleet, trained, evaluated = drawn
    fewer = evaluate(fleet, trained.key, config=EvaluateConfig(pictures=1))
    with Image.open(fewer.path / "size/right.jpg") as one, Image.open(evaluated.path / "size/right.jpg") as many:
        assert one.size[0] < many.size[0]
    store = open_store(fleet.spec.store)
    assert load(store, EvaluateReport, fewer.key).report.skills["size"].photos == 27
