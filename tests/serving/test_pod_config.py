import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coachworks.errors import DataError
from coachworks.models.manifest import Manifest
from serving.pod_config import read_release, release_of

WriteRelease = Callable[..., Path]


def test_a_release_says_its_models_group_track_and_ports(write_release: WriteRelease, manifest: Manifest):
    release = read_release(write_release({"colour": 9000, "light": 9001}))
    assert release.manifest == manifest
    assert (release.group, release.track) == ("shared", "stable")
    assert release.ports == {9000: "colour", 9001: "light"}


def test_the_environment_names_it(write_release: WriteRelease):
    folder = write_release({"colour": 9000})
    assert release_of({"COACHWORKS_RELEASE": str(folder)}) == read_release(folder)
    assert release_of({}) is None


def test_what_a_later_release_says_of_pods_is_left_alone(write_release: WriteRelease):
    folder = write_release({"colour": 9000})
    pods = json.loads((folder / "pods.json").read_text())
    (folder / "pods.json").write_text(json.dumps({**pods, "zone": "a"}))
    assert read_release(folder).ports == {9000: "colour"}


@pytest.mark.parametrize("name", ["manifest.json", "pods.json"])
def test_a_file_that_is_missing_is_refused(write_release: WriteRelease, name: str):
    folder = write_release()
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"_RELEASE names must hold {name}; .*No such file.*coachworks deploy"):
        read_release(folder)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("manifest.json", "{", "its JSON: Invalid JSON"),
        ("manifest.json", '{"kind": "Bundle"}', "fleet: Field required"),
        ("pods.json", "[]", "its JSON: Input should be"),
        ("pods.json", '{"group": "shared", "track": "stable", "ports": {"colour": 99999}}', "ports.colour: .*65535"),
        ("pods.json", '{"group": "", "track": "stable"}', "group: .*at least 1 character"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(write_release: WriteRelease, name: str, text: str, why: str):
    folder = write_release()
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name} of the release cannot be read: {why}.*deploy again"):
        read_release(folder)


def test_a_port_of_a_skill_without_a_model_is_refused(write_release: WriteRelease):
    with pytest.raises(DataError, match=r"must be those of skills in manifest.json, colour, light; got weather\. .*"):
        read_release(write_release({"colour": 9000, "weather": 9001}))


def test_a_port_for_two_skills_is_refused(write_release: WriteRelease):
    with pytest.raises(DataError, match=r"must differ from skill to skill; got \{'colour': 9000, 'light': 9000\}"):
        read_release(write_release({"colour": 9000, "light": 9000}))
