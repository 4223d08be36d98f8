import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coachworks.errors import DataError
from coachworks.models.manifest import Manifest
from serving.pod_config import pod_config_of, read_pod_config

WriteConfig = Callable[..., Path]


def test_the_configuration_holds_models_group_track_and_ports(write_config: WriteConfig, manifest: Manifest):
    pod = read_pod_config(write_config({"colour": 9000, "light": 9001}))
    assert pod.manifest == manifest
    assert (pod.group, pod.track) == ("shared", "stable")
    assert pod.ports == {9000: "colour", 9001: "light"}


def test_the_environment_names_its_folder(write_config: WriteConfig):
    folder = write_config({"colour": 9000})
    assert pod_config_of({"COACHWORKS_RELEASE": str(folder)}) == read_pod_config(folder)
    assert pod_config_of({}) is None


def test_unknown_fields_of_later_charts_are_ignored(write_config: WriteConfig):
    folder = write_config({"colour": 9000})
    pods = json.loads((folder / "pods.json").read_text())
    (folder / "pods.json").write_text(json.dumps({**pods, "zone": "a"}))
    assert read_pod_config(folder).ports == {9000: "colour"}


@pytest.mark.parametrize("name", ["manifest.json", "pods.json"])
def test_a_file_that_is_missing_is_refused(write_config: WriteConfig, name: str):
    folder = write_config()
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"_RELEASE names must hold {name}; .*No such file.*coachworks deploy"):
        read_pod_config(folder)


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
def test_a_malformed_file_is_refused(write_config: WriteConfig, name: str, text: str, why: str):
    folder = write_config()
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name} of the pod's configuration cannot be read: {why}.*deploy again"):
        read_pod_config(folder)


def test_a_port_of_a_skill_without_a_model_is_refused(write_config: WriteConfig):
    with pytest.raises(DataError, match=r"must be those of skills in manifest.json, colour, light; got weather\. .*"):
        read_pod_config(write_config({"colour": 9000, "weather": 9001}))


def test_a_port_for_two_skills_is_refused(write_config: WriteConfig):
    with pytest.raises(DataError, match=r"must differ from skill to skill; got \{'colour': 9000, 'light': 9000\}"):
        read_pod_config(write_config({"colour": 9000, "light": 9000}))
