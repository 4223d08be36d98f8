import json
import re
from pathlib import Path

import pytest
from kfp import dsl
from small_fleets import small_fleet

import validation
from coachworks.context import open_context
from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Checks
from coachworks.store import FolderStore
from components.validate import ValidateConfig
from components.validate.admitted import admitted
from components.validate.step import validate

COLOUR = {"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 5}}
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def refuse_work(monkeypatch):
    """Function after which any use of Great Expectations fails the test."""

    def start():
        def fail(*_, **__):
            raise AssertionError("validated again")

        monkeypatch.setattr(validation, "run_suite", fail)

    return start


def test_good_data_let_the_skill_train(good):
    _, _, result = good
    assert result.report.skills["colour"] == validation.Verdict(passed=True, failures=(), warnings=())
    assert result.report.photos == 12
    assert result.report.findings == ()
    record = json.loads((result.path / "expectations.json").read_text("utf-8"))
    assert set(record["suites"]) == {
        f"showroom.{table}" for table in ("schema", "catalogue", "labels", "answers", "coverage", "skills")
    }
    assert all(suite["success"] for suite in record["suites"].values())


def test_an_empty_catalogue_stops_every_skill_and_still_gives_a_page(pile, judged, fleet_of, store):
    result = judged(pile, colour=COLOUR, shape={"labels": ["round", "square"]})
    assert {skill: verdict.passed for skill, verdict in result.report.skills.items()} == {
        "colour": False,
        "shape": False,
    }
    assert "There is no photo in the catalogue." in (result.path / "page.html").read_text("utf-8")
    assert admitted(store, result, fleet_of(colour=COLOUR)).empty


def test_a_failed_skill_is_not_admitted_and_the_others_are(good_pile, judged, fleet_of, store):
    for photo in good_pile.photos:
        good_pile.label(photo["photo_id"], "shape", "round", photo["split"])
    skills = {"colour": COLOUR, "shape": {"labels": ["round", "square"]}}
    result = judged(good_pile, **skills)
    assert result.report.skills["colour"].passed
    (failure,) = result.report.skills["shape"].failures
    assert failure.message == "1 label cannot be trained or judged: square has no photo."
    labels = admitted(store, result, fleet_of(**skills))
    assert list(labels.columns) == ["photo_id", "set_id", "skill", "label", "split"]
    assert set(labels["skill"]) == {"colour"}
    assert len(labels) == 12
    assert labels["set_id"].notna().all()


def test_labels_that_are_null_or_unknown_are_not_admitted(good_pile, judged, fleet_of, store, draw):
    good_pile.add(draw(20), "null.png", "train", {"colour": None})
    unknown = good_pile.add(draw(21), "unknown.png", "train", {"colour": "rde"})
    result = judged(good_pile, Checks(max_unknown_share=0.2), colour=COLOUR)
    (warning,) = result.report.skills["colour"].warnings
    assert warning.message.endswith("did you mean 'red'?")
    assert warning.photo_ids == (unknown,)
    assert len(admitted(store, result, fleet_of(colour=COLOUR))) == 12


def test_a_critical_skill_is_stopped_by_a_warning_about_its_photos(good_pile, judged):
    for photo in good_pile.photos[:3]:
        photo["permission"] = None
    for photo, label in zip(good_pile.photos, [row["label"] for row in good_pile.labels], strict=True):
        good_pile.label(photo["photo_id"], "paint", label, photo["split"])
    verdicts = judged(good_pile, colour={**COLOUR, "tier": "critical"}, paint=COLOUR).report.skills
    assert verdicts["paint"].passed
    (failure,) = verdicts["colour"].failures
    assert failure.check == "permission"
    assert failure.message.endswith("3 of them belong to this critical skill.")


def test_a_leaking_pair_is_found_in_the_photos_and_shown_with_names_and_splits(good_pile, judged, draw):
    first = good_pile.add(draw(50), "first.png", "train", {"colour": "red"})
    second = good_pile.add(draw(50, shift=2), "second.png", "test", {"colour": "red"})
    result = judged(good_pile, Checks(max_leaking_share=0.5), colour=COLOUR)
    (warning,) = result.report.skills["colour"].warnings
    assert warning.check == "leakage"
    assert warning.pairs == ((first, second),)
    page = (result.path / "page.html").read_text("utf-8")
    shown = page[page.index('class="pair"') :][:200_000]
    assert re.search(r"first\.png.*red · train.*second\.png.*red · test", shown, re.DOTALL)


def test_photos_of_one_set_may_look_alike(good_pile, judged, draw):
    for name, shift in (("first.png", 0), ("second.png", 2)):
        good_pile.add(draw(50, shift=shift), name, "train", {"colour": "red"}, set_id="one car")
    assert judged(good_pile, colour=COLOUR).report.findings == ()


def test_the_page_loads_nothing_and_shows_hostile_names_as_text(good_pile, judged, draw):
    checks = Checks(max_poor_share=0, max_unknown_share=0.5)
    good_pile.add(draw(30), f"{HOSTILE}.png", "train", {"colour": HOSTILE}, sharpness=0.1)
    skill = {**COLOUR, "question": HOSTILE, "labels": ["red", "blue", f"{HOSTILE}2"]}
    page = (judged(good_pile, checks, colour=skill).path / "page.html").read_text("utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert not re.search(r"https?://|@import|url\(", page)
    assert set(re.findall(r'src="([^"]{5})', page)) == {"data:"}
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_page_stays_small_with_many_findings(pile, judged, draw):
    for seed in range(60):
        split = ("train", "validation", "test")[seed % 3]
        answers = {f"skill-{n}": ("red", "blue")[seed // 3 % 2] for n in range(5)}
        pile.add(draw(seed % 20), f"{seed}.png", split, answers, sharpness=0.1, brightness=0.01, contrast=0.5)
    result = judged(pile, **{f"skill-{n}": COLOUR for n in range(5)})
    assert (result.path / "page.html").stat().st_size < 4_000_000


def test_a_photo_that_is_missing_in_the_store_is_not_shown(good_pile, judged, store):
    good_pile.photos[0]["sharpness"] = 0.1
    store.fetch(good_pile.photos[0]["uri"]).unlink()
    result = judged(good_pile, colour=COLOUR)
    assert [finding.check for finding in result.report.findings] == ["sharpness"]
    assert "<img" not in (result.path / "page.html").read_text("utf-8")


def test_the_same_data_are_not_validated_twice(good, refuse_work):
    fleet, split, first = good
    refuse_work()

    def judged(**settings):
        return validate(small_fleet({"colour": {**COLOUR, **settings}}, store=fleet.spec.store), split)

    again = judged(serving={"layout": "dedicated", "replicas": 9}, candidates=["knn"])
    assert again.reused
    assert again.key == first.key
    with pytest.raises(AssertionError, match="validated again"):
        judged(gates={"minPhotosPerLabel": 2})


def test_refresh_validates_again(good):
    fleet, split, first = good
    again = validate(fleet, split, context=open_context(fleet, run="r1", refresh=["validate"]))
    assert not again.reused
    assert again.key != first.key
    assert again.report == first.report


def test_tables_with_another_schema_stop_every_skill(good_pile, fleet_of):
    result = validate(fleet_of(colour=COLOUR), good_pile.published(without="set_id"))
    (failure,) = result.report.skills["colour"].failures
    assert failure.details == ("splits.set_id must be string; it is missing",)
    assert "splits.set_id must be string" in (result.path / "page.html").read_text("utf-8")


def test_the_component_returns_the_key_and_writes_metrics_and_page(good, tmp_path):
    from components.validate.component import validate as component

    metrics, page = dsl.Metrics(), dsl.HTML()
    page.path = str(tmp_path / "shown.html")
    fleet, split, first = good
    store = FolderStore(Path(fleet.spec.store))
    key = component.python_func(fleet=fleet.to_json(), split=split, metrics=metrics, page=page)
    assert key == first.key
    assert store.exists(f"results/validate/{key}/report.json")
    shown = (tmp_path / "shown.html").read_text("utf-8")
    assert shown.replace('<base href="about:srcdoc">', "") == store.read(f"results/validate/{key}/page.html").decode()
    assert page.metadata["display_name"] == "Validation of photos and labels"
    assert metrics.metadata["skills: may train"] == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"near_duplicate_distance": 17}, r"near_duplicate_distance must be an integer in \[0, 16\]; got 17"),
        ({"near_duplicate_similarity": 0}, r"near_duplicate_similarity must be a float in \(0, 1\]; got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InvalidConfigError, match=message):
        ValidateConfig(**settings)
