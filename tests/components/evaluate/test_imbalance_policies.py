import json

import pytest
from drawn_chain import draw_chain
from pydantic import TypeAdapter

from components.evaluate.step import evaluate
from components.train.config import TrainConfig
from components.train.imbalance import POLICIES
from components.train.report import TrainReport
from components.train.step import train


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """The results of train where a tenth of the photos is `large`, and each color has a third."""
    fleet, embed = draw_chain(tmp_path_factory.mktemp("uneven"), candidates=("linear",), blocks=20, large=0.1)
    return fleet, embed, train(fleet, embed)


def test_the_policy_of_a_skill_with_uneven_labels_is_recorded_beside_those_that_it_beat(uneven):
    _, _, trained = uneven
    chosen = trained.report.skills["size"].imbalance
    assert tuple(trial.policy for trial in chosen.trials) == POLICIES
    assert chosen.policy in POLICIES
    assert chosen.policy in chosen.why
    assert all(0 <= trial.balanced_accuracy <= 1 for trial in chosen.trials)


def test_a_skill_with_even_labels_keeps_class_weights(uneven):
    _, _, trained = uneven
    chosen = trained.report.skills["color"].imbalance
    assert (chosen.policy, tuple(chosen.trials)) == ("balanced", ())
    assert chosen.why == "balanced, without a comparison: no label has 1.5 times as many photos as another"


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_of_the_settings_holds_for_the_head_that_is_kept(uneven, policy):
    fleet, embed, _ = uneven
    trained = train(fleet, embed, ["size"], config=TrainConfig(class_weights=policy))
    record = trained.report.skills["size"]
    assert (record.imbalance.policy, tuple(record.imbalance.trials)) == (policy, ())
    alike = record.class_weights["large"] == record.class_weights["small"]
    assert alike == (policy in {"none", "logit-adjustment"})
    recall = evaluate(fleet, trained.key, ["size"]).report.skills["size"].per_label["large"].recall.value
    assert recall > 0.5 or policy == "none"


@pytest.mark.parametrize("policy", ["logit-adjustment", "focal"])
def test_training_that_continues_keeps_the_policy(tmp_path, policy):
    kinds, config = ("linear",), TrainConfig(class_weights=policy)
    before, after = (
        train(*draw_chain(tmp_path, candidates=kinds, blocks=20, large=0.1, added=added), ["size"], config=config)
        for added in (0, 3)
    )
    then, now = before.report.skills["size"], after.report.skills["size"]
    assert now.continues == before.key
    assert now.imbalance == then.imbalance
    assert now.class_weights.keys() == then.class_weights.keys()


def test_a_report_of_an_earlier_version_has_no_policies(uneven):
    _, _, trained = uneven
    stored = json.loads((trained.path / "report.json").read_text("utf-8"))["report"]
    for skill in stored["skills"].values():
        del skill["imbalance"]
    report = TypeAdapter(TrainReport).validate_python(stored)
    assert report.skills["size"].imbalance is None
