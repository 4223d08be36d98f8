"""From a folder of photos to a valid fleet file."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pets import draw_pets, names, write_table
from PIL import Image

from coachworks.cli.init import init
from coachworks.cli.starter import InitOptions, scalar, starter
from coachworks.fleet.look_alikes import fold, unreadable
from coachworks.fleet.reader import examine, read_fleet
from components.deploy.target.service_names import name_problems
from components.ingest.survey import survey


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos in two folders, `cat` (8) and `dog` (4)."""
    return draw_pets(tmp_path / "pets")


def test_missing_files_that_a_table_names_are_reported(photos):
    rows = [{"filename": n, "kind": n[:3]} for n in [*names(photos), "cat/gone.jpg"]]
    write_table(photos / "labels.csv", rows)
    result = survey(photos)
    assert result.missing == ["cat/gone.jpg"]
    assert "# The table names 1 missing file; first: 'cat/gone.jpg'" in starter(result, photos.parent)


def test_the_starter_is_valid_with_counts_and_explained_gates(photos):
    text = starter(survey(photos), photos.parent)
    fleet, problems = examine(text)
    assert problems == []
    assert fleet is not None
    assert fleet.name == "pets-fleet"  # the skill is called `pets`, and each has a Service
    assert list(name_problems(fleet)) == []
    assert fleet.spec.sources[0].photos == "./pets"
    assert fleet.gates("pets").min_balanced_accuracy == 0.8
    assert "- cat  # 8 photos" in text
    assert "# minPhotosPerLabel: 1000" in text


def test_a_folder_elsewhere_is_named_by_its_whole_path(photos, tmp_path):
    fleet, _ = examine(starter(survey(photos), tmp_path / "elsewhere"))
    assert fleet is not None
    assert fleet.spec.sources[0].photos == str(photos)


LABELS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(
    lambda text: fold(text) and unreadable(text.strip()) is None
)


@given(text=LABELS)
def test_any_label_is_written_so_that_it_is_read_back(text):
    fleet, problems = examine(
        "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {name: x}\nspec:\n  sources: [{photos: .}]\n"
        f"  skills:\n    a:\n      labels:\n        - {scalar(text.strip())}  # 3 photos\n        - ⸻other⸻\n"
    )
    assert problems == []
    assert fleet is not None
    assert fleet.skill("a").labels[0] == text.strip()


@pytest.mark.data
@pytest.mark.parametrize(("folder", "skills"), [("trashnet", {"material": 6}), ("grocery", {"fine": 81, "coarse": 43})])
def test_real_photos_make_a_valid_fleet(data_folder, tmp_path, folder, skills):
    fleet, problems = examine(starter(survey(data_folder / folder), tmp_path))
    assert problems == []
    assert fleet is not None
    assert {name: len(skill.labels) for name, skill in fleet.spec.skills.items()} == skills


def test_a_fleet_for_a_cluster_names_its_bucket_its_server_and_the_secrets_of_its_pods(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("cat", "dog"):
        (photos / label).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(photos / label / "1.jpg")
    options = InitOptions(
        name="pets",
        store="s3://bucket/pets",
        tracking="https://mlflow.example",
        environment=("pets", "mlflow"),
        image="registry.example/coachworks/steps:0.1.0-1a2b3c4d5e6f",
    )
    fleet, problems = examine(starter(survey(photos), tmp_path, options))
    assert problems == []
    assert fleet is not None
    assert (fleet.name, fleet.spec.store, fleet.spec.tracking) == ("pets", "s3://bucket/pets", "https://mlflow.example")
    assert [source.secret for source in fleet.spec.cluster.environment] == ["pets", "mlflow"]
    assert fleet.spec.cluster.image == "registry.example/coachworks/steps:0.1.0-1a2b3c4d5e6f"


def test_links_out_of_the_folder_are_counted_and_followed_with_an_option(tmp_path, monkeypatch):
    draw_pets(tmp_path / "pets")
    draw_pets(tmp_path / "elsewhere")
    (tmp_path / "pets/bird").symlink_to(tmp_path / "elsewhere/cat")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(init, ["pets"])
    assert "not followed: 1 symbolic link out of the folder. `--follow-links` follows them." in result.output
    assert CliRunner().invoke(init, ["pets", "--follow-links", "--force"]).exit_code == 0
    assert read_fleet(tmp_path / "fleet.yaml").spec.sources[0].follow_links
