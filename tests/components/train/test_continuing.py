import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_chain import draw_chain

from coachworks.context import open_context
from coachworks.models.head import load_head
from components.train import earlier
from components.train.axes import solution_of
from components.train.config import TrainConfig
from components.train.linear import fit as fit_linear_heads
from components.train.step import train


@pytest.fixture(scope="module")
def competed(tmp_path_factory):
    """The root of a store, the fleet in it, and the result of train whose candidates have competed."""
    root = tmp_path_factory.mktemp("competed")
    fleet, embed = draw_chain(root, candidates=("linear", "knn"), blocks=6)
    return root, fleet, train(fleet, embed)


@pytest.fixture
def grown(competed, tmp_path):
    """A copy of that store, to which photos are added and whose labels are changed."""
    root, _, _ = competed
    shutil.copytree(root, tmp_path / "copy", symlinks=True)

    def grow(**changes):
        return draw_chain(tmp_path / "copy", candidates=("linear", "knn"), blocks=6, **changes)

    return grow


def heads(result, skill):
    return {path.stem: path.read_bytes() for path in (result.path / skill).glob("*.safetensors")}


def test_few_added_photos_keep_the_choices_and_the_winner_is_fitted_on_them_too(competed, grown):
    _, _, before = competed
    after = train(*grown(added=6))
    then, now = before.report.skills["color"], after.report.skills["color"]
    assert (now.continues, now.changed_photos) == (before.key, 6)
    assert (now.winner, now.feature_groups) == (then.winner, then.feature_groups)
    assert now.winner_photos == then.winner_photos + 6 == 150
    assert now.photos["train"] == then.photos["train"] + 6
    winner = str(now.winner)
    assert heads(after, "color")[winner] != heads(before, "color")[winner]
    assert {n: h for n, h in heads(after, "color").items() if n != winner} == {
        n: h for n, h in heads(before, "color").items() if n != winner
    }
    assert "Since then 6 of 144 training and validation photos were added, removed or relabelled; up to 5%" in now.why
    assert "so it was fitted again with the same settings on all 150;" in now.why


def test_labels_are_judged_again_where_the_winner_is_fitted_again(competed, grown):
    _, _, before = competed
    after = train(*grown(relabelled=(1, 5)))
    then, now = before.report.skills["color"].label_noise, after.report.skills["color"].label_noise
    assert now.suspicious > then.suspicious == 0
    table = (after.path / "color" / "suspicious-labels.csv").read_text("utf-8-sig").splitlines()
    assert {line.partition(",")[0] for line in table[1:]} <= {"001.png", "005.png"}
    assert len(table) == 1 + now.suspicious
    unchanged = [result.path / "size" / "suspicious-labels.csv" for result in (before, after)]
    assert unchanged[0].read_bytes() == unchanged[1].read_bytes()


def test_a_skill_for_which_losses_were_tried_competes_again(tmp_path):
    (tmp_path / "store").mkdir()
    first = train(*draw_chain(tmp_path, candidates=("linear",)))  # nothing shows the size
    assert "forward-correction" in first.report.skills["size"].label_noise.losses
    second = train(*draw_chain(tmp_path, candidates=("linear",), added=4))
    assert (second.report.skills["size"].continues, second.report.skills["color"].continues) == ("", first.key)


def test_a_head_that_continues_answers_like_one_fitted_from_nothing(grown, monkeypatch):
    fleet, embed = grown(added=6)
    continued = train(fleet, embed)
    monkeypatch.setattr("components.train.continuing.solution_of", lambda weight, bias, reduction: None)
    shutil.rmtree(continued.path)
    anew = train(fleet, embed)
    points = np.random.default_rng(3).normal(size=(50, 18)).astype(np.float32)
    for skill in ("color", "size"):
        winner = f"{anew.report.skills[skill].winner}.safetensors"
        one, other = (load_head(result.path / skill / winner) for result in (continued, anew))
        own = points[:, : one.dimensions]
        np.testing.assert_allclose(one.probabilities(own), other.probabilities(own), atol=0.01)


def test_a_skill_whose_labels_did_not_change_keeps_its_heads(competed, grown):
    _, _, before = competed
    after = train(*grown(relabelled=(1, 5)))
    assert heads(after, "size") == heads(before, "size")
    assert after.report.skills["size"].why == before.report.skills["size"].why
    assert (after.report.skills["size"].continues, after.report.skills["size"].changed_photos) == (before.key, 0)
    assert after.report.skills["color"].changed_photos == 2
    assert heads(after, "color") != heads(before, "color")


def test_a_changed_test_photo_changes_no_head(competed, grown):
    _, _, before = competed
    after = train(*grown(relabelled=(170,)))
    assert heads(after, "color") == heads(before, "color")


def test_the_same_photos_again_reuse_the_result_that_continued(grown):
    fleet, embed = grown(added=6)
    first = train(fleet, embed)
    again = train(fleet, embed, context=open_context(fleet, dry=True))
    assert (again.key, again.reused) == (first.key, True)


def test_a_further_change_continues_from_the_competition_not_from_what_continued(competed, grown):
    _, _, before = competed
    train(*grown(added=4))
    after = train(*grown(added=4, relabelled=(1,)))
    assert after.report.skills["color"].continues == before.key
    assert after.report.skills["color"].changed_photos == 5


def test_the_same_changes_in_two_stores_give_the_same_bytes(competed, grown, tmp_path):
    root, _, _ = competed
    one = train(*grown(added=6))
    shutil.copytree(root, tmp_path / "other", symlinks=True)
    other = train(*draw_chain(tmp_path / "other", candidates=("linear", "knn"), blocks=6, added=6))
    assert one.key == other.key
    assert [heads(one, skill) for skill in ("color", "size")] == [heads(other, skill) for skill in ("color", "size")]


@pytest.mark.parametrize("why", ["many photos", "refresh", "other candidates", "the earlier result is gone"])
def test_the_candidates_compete_again_after(why, competed, grown, tmp_path):
    _, _, before = competed
    fleet, embed = grown(added=12 if why == "many photos" else 6)
    refresh = ["train"] if why == "refresh" else []
    if why == "other candidates":
        defaults = fleet.spec.defaults.model_copy(update={"candidates": ["linear"]})
        fleet = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"defaults": defaults})})
    if why == "the earlier result is gone":
        shutil.rmtree(tmp_path / "copy" / "store" / "results" / "train" / before.key)
    after = train(fleet, embed, context=open_context(fleet, refresh=refresh, run="20260101-000000-aaaaaa"))
    assert [skill.continues for skill in after.report.skills.values()] == ["", ""]
    assert "continues" not in after.inputs


def test_the_candidates_compete_again_if_the_winner_answers_unchanged_photos_worse(grown, monkeypatch):
    monkeypatch.setattr(earlier, "SMALL", 1.0)
    fleet, embed = grown(relabelled=tuple(range(0, 108, 2)))
    notes = []
    context = open_context(fleet)
    monkeypatch.setattr(type(context.progress), "note", lambda _, text: notes.append(text))
    after = train(fleet, embed, context=context)
    assert (after.report.skills["color"].continues, after.report.skills["color"].changed_photos) == ("", 0)
    assert "color: its winner answers validation photos worse than it did, so all candidates compete" in notes
    assert Path(after.path / "color" / "knn.safetensors").is_file()
    again = train(fleet, embed, context=open_context(fleet, dry=True))
    assert (again.key, again.reused) == (after.key, True)


def test_a_fit_from_near_its_solution_takes_fewer_iterations_and_ends_there(lane_and_reduction):
    lane, reduction = lane_and_reduction
    chosen = {skill: {"penalty": 0.01} for skill in lane.skills}
    cold = fit_linear_heads(lane, reduction, TrainConfig(), chosen)
    starts = {s: solution_of(c.arrays["weight"], c.arrays["bias"], reduction) for s, c in cold.items()}
    warm = fit_linear_heads(replace(lane, starts=starts), reduction, TrainConfig(), chosen)
    for skill in lane.skills:
        assert warm[skill].parameters["iterations"] <= 2 < cold[skill].parameters["iterations"]
        np.testing.assert_allclose(warm[skill].logits, cold[skill].logits, atol=0.02)
