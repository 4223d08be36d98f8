import pytest

from coachworks.models.head import load_head
from components.evaluate.step import evaluate
from components.train.step import train


@pytest.fixture(scope="module")
def grouped(tmp_path_factory, draw_chain):
    """The results of train and evaluate where the averages of the blocks show `size`, and `last` shows `color`."""
    fleet, embed = draw_chain(tmp_path_factory.mktemp("grouped"), candidates=("linear", "mlp", "svm"), blocks=20)
    trained = train(fleet, embed)
    return trained, evaluate(fleet, trained.key)


def test_every_candidate_of_a_skill_reads_the_groups_that_fit_it(grouped):
    trained, _ = grouped
    for skill, groups, dimensions in (("color", ("last",), 12), ("size", ("last", "blocks-mean"), 32)):
        assert tuple(trained.report.skills[skill].feature_groups) == groups
        for kind in ("linear", "mlp", "svm"):
            head = load_head(trained.path / skill / f"{kind}.safetensors")
            assert (head.groups, head.dimensions) == (groups, dimensions)


def test_the_choice_is_recorded_beside_what_it_beat(grouped):
    trained, _ = grouped
    record = trained.report.skills["size"]
    assert [tuple(trial.groups) for trial in record.feature_trials] == [("last",), ("last", "blocks-mean")]
    least, most = (trial.balanced_accuracy for trial in record.feature_trials)
    assert least < 0.7 < most
    assert record.why_features.startswith(f"last + blocks-mean is the best in folds, {most:.3f} ± ")
    assert record.why_features.endswith(f"against last {least:.3f}")


def test_the_test_photos_are_read_with_the_groups_of_each_skill(grouped):
    _, evaluated = grouped
    assert evaluated.report.skills["size"].balanced_accuracy.value > 0.8
    assert evaluated.report.skills["color"].balanced_accuracy.value > 0.8


def test_the_last_layer_alone_gives_the_same_heads_as_without_other_groups(tmp_path, draw_chain):
    heads = []
    for blocks in (0, 20):
        fleet, embed = draw_chain(tmp_path / str(blocks), candidates=("linear",), views=0, blocks=blocks)
        heads.append((train(fleet, embed, ["color"]).path / "color" / "linear.safetensors").read_bytes())
    assert heads[0] == heads[1]
