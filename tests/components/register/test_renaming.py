"""Registration of a renamed skill: its model and experiment take the new name, and its versions are counted on."""

import pytest

from coachworks.context import open_context
from coachworks.progress import SILENT
from coachworks.results import NotDoneError
from coachworks.tracking import open_client, tracking_of
from coachworks.tracking.registry import read_skill_model, read_skill_models
from components.register.step import register


def with_skills(fleet, **skills):
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})


@pytest.fixture
def before(fleet):
    """The fleet with its skill `view` only."""
    return with_skills(fleet, view=fleet.spec.skills["view"])


@pytest.fixture
def after(fleet):
    """The same fleet after `view` was renamed to `angle`."""
    return with_skills(fleet, angle=fleet.spec.skills["view"].model_copy(update={"was": "view"}))


def names(client):
    return sorted(model.name for model in client.search_registered_models())


def test_the_model_of_a_renamed_skill_goes_on_with_its_versions_and_its_champion(chain, before, after, client):
    register(before, chain.evaluation(noise=0.62, skills=["view"]))
    experiment = client.get_experiment_by_name("showroom/view").experiment_id
    entry = register(after, chain.evaluation(seed=1, skills=["angle"])).report.skills["angle"]
    assert (entry.status, entry.model, entry.version, entry.experiment_id) == (
        "champion",
        "showroom.angle",
        "2",
        experiment,
    )
    assert entry.compared_run_id is not None
    assert names(client) == ["showroom.angle"]
    model = client.get_registered_model("showroom.angle")
    assert (model.tags["skill"], model.tags["was"], model.aliases["champion"]) == ("angle", "view", 2)
    assert [client.get_model_version("showroom.angle", n).tags["skill"] for n in ("1", "2")] == ["view", "angle"]
    assert client.get_experiment_by_name("showroom/view") is None
    assert client.get_experiment_by_name("showroom/angle").experiment_id == experiment


@pytest.mark.parametrize("status", [pytest.param("failed", marks=pytest.mark.slow), "dropped"])
def test_a_renamed_skill_that_fails_keeps_its_champion(chain, before, after, client, status):
    register(before, chain.evaluation(skills=["view"]))
    entry = register(after, chain.evaluation(seed=1, status=status, skills=["angle"])).report.skills["angle"]
    assert (entry.status, entry.champion_version) == ("not-registered", "1")
    assert entry.head_digest == client.get_model_version("showroom.angle", "1").tags["head_digest"]


@pytest.mark.slow
def test_a_renamed_skill_with_the_same_head_is_unchanged_and_moves_all_the_same(chain, before, after, client):
    register(before, chain.evaluation(skills=["view"]))
    entry = register(after, chain.evaluation(skills=["angle"])).report.skills["angle"]
    assert (entry.status, entry.champion_version) == ("unchanged", "1")
    assert names(client) == ["showroom.angle"]


@pytest.mark.slow
def test_a_champion_of_another_backbone_is_compared_by_the_answers_under_its_earlier_name(chain, before, after, client):
    register(before, chain.evaluation(noise=0.62, skills=["view"]))
    register(after, chain.evaluation(backbone="c" * 64, skills=["angle"]))
    description = client.get_model_version("showroom.angle", "2").description
    assert "the answers recorded at its own evaluation, since it reads another backbone" in description


@pytest.mark.slow
def test_a_dry_run_leaves_the_name_and_says_that_there_is_work(chain, before, after, client):
    register(before, chain.evaluation(skills=["view"]))
    evaluation = chain.evaluation(skills=["angle"])
    with pytest.raises(NotDoneError):
        register(after, evaluation, context=open_context(after, tracking=tracking_of, dry=True))
    assert names(client) == ["showroom.view"]
    done = register(after, evaluation)
    assert register(after, evaluation, context=open_context(after, tracking=tracking_of, dry=True)).key == done.key


@pytest.mark.slow
def test_a_registration_that_was_killed_while_it_renamed_continues(chain, before, after, client):
    register(before, chain.evaluation(noise=0.62, skills=["view"]))
    client.rename_experiment(client.get_experiment_by_name("showroom/view").experiment_id, "showroom/angle")
    entry = register(after, chain.evaluation(seed=1, skills=["angle"])).report.skills["angle"]
    assert (entry.version, names(client)) == ("2", ["showroom.angle"])


class Notes:
    """Progress that keeps its notes."""

    task = SILENT.task

    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


@pytest.mark.slow
def test_a_model_that_cannot_take_the_new_name_keeps_its_own_and_the_reason_is_noted(chain, before, after, client):
    register(before, chain.evaluation(skills=["view"]))
    register(with_skills(after, angle=before.spec.skills["view"]), chain.evaluation(seed=1, skills=["angle"]))
    notes = Notes()
    context = open_context(after, tracking=tracking_of, progress=notes)
    entry = register(after, chain.evaluation(seed=1, skills=["angle"]), context=context).report.skills["angle"]
    assert (entry.champion_version, names(client)) == ("1", ["showroom.angle", "showroom.view"])
    assert notes.texts[0] == (
        "angle: the model 'showroom.view' keeps its name, since 'showroom.angle' is registered too. To go on with its "
        "versions, delete 'showroom.angle' in MLflow and run again; else remove `was` at the skill."
    )


def test_until_register_has_renamed_a_model_others_read_it_under_its_earlier_name(chain, before, after, client):
    register(before, chain.evaluation(skills=["view"]))
    tracking = open_client(tracking_of(after))
    assert read_skill_model(tracking, after, "angle").name == "showroom.view"
    assert {skill: model.name for skill, model in read_skill_models(tracking, after).items()} == {
        "angle": "showroom.view"
    }
    register(after, chain.evaluation(skills=["angle"]))
    assert read_skill_models(tracking, after)["angle"].name == "showroom.angle"
