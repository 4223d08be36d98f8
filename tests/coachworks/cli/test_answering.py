"""`coachworks predict` and `coachworks serve`, short of a running server: tests/serving has that."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result
from packaged_fleet import FLEET

from coachworks.cli.main import main
from coachworks.cli.predict import predict
from coachworks.cli.serve import serve, serving
from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.fleet.reader import read_fleet
from coachworks.runs import new_run, start_run
from coachworks.store import open_store
from components.package.config import PackageConfig
from components.package.step import package


@pytest.fixture(scope="module")
def fleet_file(tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType) -> Path:
    """A fleet whose two skills are packaged, without a bento."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet, _, register = fabricated.fabricate(folder)
    package(fleet, [register], config=PackageConfig(build_bento=False))
    (folder / "fleet.yaml").write_text(FLEET)
    return folder / "fleet.yaml"


@pytest.fixture
def photos(tmp_path: Path, fabricated: ModuleType) -> Path:
    """A folder of two photos, one of them deeper, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(fabricated.photo("red"))
    (folder / "more" / "b.PNG").write_bytes(fabricated.photo("blue", kind="PNG"))
    (folder / "notes.txt").write_text("no photo")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(predict, [str(argument) for argument in arguments])


@pytest.fixture
def empty_fleet_file(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path / "fleet.yaml"


def test_predict_shows_a_table_per_photo(fleet_file: Path, photos: Path):
    result = run("-f", fleet_file, photos / "a.jpg", photos / "more" / "b.PNG")
    assert result.exit_code == 0
    assert result.stdout.count("runner-up") == 2
    for word in ("a.jpg", "b.PNG", "colour", "light", "red", "blue", "version"):
        assert word in result.stdout


def test_a_folder_means_all_photos_in_it(fleet_file: Path, photos: Path):
    result = run("-f", fleet_file, photos, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert [Path(photo["file"]).name for photo in document["photos"]] == ["a.jpg", "b.PNG"]
    assert [photo["answers"]["colour"]["label"] for photo in document["photos"]] == ["red", "blue"]
    assert document["photos"][0]["error"] is None


def test_photos_that_cannot_be_used_are_listed_and_the_others_answered(fleet_file: Path, photos: Path):
    (photos / "c.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    result = run("-f", fleet_file, "--json", photos, photos / "notes.txt", photos / "missing.jpg")
    assert result.exit_code == 1
    codes = {Path(p["file"]).name: p["error"] and p["error"]["code"] for p in json.loads(result.stdout)["photos"]}
    assert codes == {
        "a.jpg": None,
        "b.PNG": None,
        "c.jpg": "truncated",
        "notes.txt": "not-a-photo",
        "missing.jpg": "unreadable",
    }
    assert "3 of 5 could not be answered" in result.stderr


def test_a_refused_photo_is_listed_with_reason_and_way_out(fleet_file: Path, photos: Path):
    result = run("-f", fleet_file, photos / "notes.txt")
    assert result.exit_code == 1
    output = " ".join(result.stderr.split())
    assert "notes.txt: the file is not an image. Send one of JPEG, PNG" in output
    assert result.stdout == ""


def test_a_folder_without_photos_is_reported(fleet_file: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    result = run("-f", fleet_file, tmp_path / "empty")
    assert result.exit_code == 1
    assert "the folder has no photos" in " ".join(result.stderr.split())


def test_skills_can_be_picked(fleet_file: Path, photos: Path):
    result = run("-f", fleet_file, "--json", "--skill", "light", photos / "a.jpg")
    assert list(json.loads(result.stdout)["photos"][0]["answers"]) == ["light"]


def test_a_skill_without_a_model_is_refused_with_the_reason(
    tmp_path: Path, photos: Path, fabricated: ModuleType
) -> None:
    fleet, _, register = fabricated.fabricate(tmp_path)
    third = fleet.spec.skills["light"].model_copy(update={"question": "Is it dark?"})
    spec = fleet.spec.model_copy(update={"skills": {**fleet.spec.skills, "dark": third}})
    package(fleet.model_copy(update={"spec": spec}), [register], config=PackageConfig(build_bento=False))
    (tmp_path / "fleet.yaml").write_text(FLEET)
    result = run("-f", tmp_path / "fleet.yaml", "--skill", "dark", photos / "a.jpg")
    assert str(result.exception) == ("'dark' is not in the package: it took no part in this run and was never packaged")


def test_an_unknown_skill_is_refused(fleet_file: Path, photos: Path):
    result = run("-f", fleet_file, "--skill", "color", photos / "a.jpg")
    assert isinstance(result.exception, InvalidConfigError)
    assert "got 'color'. Did you mean `colour`?" in str(result.exception)


def test_more_photos_than_one_pass_are_all_answered(fleet_file: Path, photos: Path, fabricated: ModuleType):
    for number in range(40):
        (photos / f"many-{number:02}.jpg").write_bytes(fabricated.photo("green"))
    document = json.loads(run("-f", fleet_file, "--json", photos).stdout)
    assert len(document["photos"]) == 42
    assert sum(photo["answers"]["colour"]["label"] == "green" for photo in document["photos"]) == 40


@pytest.mark.parametrize("command", [predict, serve])
def test_without_a_package_the_error_names_the_way_out(empty_fleet_file: Path, command: object):
    arguments = ["-f", str(empty_fleet_file), *(["car.jpg"] if command is predict else [])]
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert isinstance(result.exception, NotFoundError)
    assert "nothing is packaged yet for the fleet 'showroom'. Run `coachworks run -f" in str(result.exception)
    run_of_fleet = start_run(open_store(read_fleet(empty_fleet_file).spec.store), new_run("{}", [["colour"]]))
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert f"for the fleet 'showroom'. The run {run_of_fleet.id} is under way" in str(result.exception)


def test_without_a_champion_the_error_lists_the_reasons(empty_fleet_file: Path, fabricated: ModuleType):
    from coachworks.store import FolderStore

    none = fabricated.champion(None, None, status="not-registered")
    register = fabricated.put_register(FolderStore(empty_fleet_file.parent / "store"), {"colour": none, "light": none})
    package(fabricated.fleet_of(empty_fleet_file.parent), [register])
    result = run("-f", empty_fleet_file, "car.jpg")
    assert isinstance(result.exception, NotFoundError)
    assert "no skill of the fleet 'showroom' has a model to answer with" in str(result.exception)
    assert "colour: no version is champion: balanced accuracy 0.5 is below the gate" in str(result.exception)


def test_serve_names_the_command_that_builds_a_missing_bento(fleet_file: Path):
    with (
        pytest.raises(
            NotFoundError, match=r"a bundle but no bento\. Build one: `coachworks package -f .* --build-bento`"
        ),
        serving(fleet_file),
    ):
        pass


def test_a_damaged_bundle_is_reported_before_any_answer(fleet_file: Path, photos: Path, tmp_path: Path):
    import shutil

    copy = Path(shutil.copytree(fleet_file.parent, tmp_path / "copy", symlinks=True))
    [head] = copy.glob("store/results/package/*/bundle/heads/colour.safetensors")
    head.write_bytes(head.read_bytes() + b"\0")
    result = run("-f", copy / "fleet.yaml", photos / "a.jpg")
    assert isinstance(result.exception, DataError)
    assert "heads/colour.safetensors' of the store " in str(result.exception)
    assert " is damaged: it must have " in str(result.exception)


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_refused(photos: Path, url: str):
    result = run("--url", url, photos / "a.jpg")
    assert isinstance(result.exception, InvalidConfigError)
    assert "url must be the server's address, such as http://127.0.0.1:3000" in str(result.exception)


def test_a_server_that_does_not_answer_is_reported(photos: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "--url", "http://127.0.0.1:9", str(photos / "a.jpg")])
    assert stopped.value.code == 1
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_a_host_that_is_not_of_this_machine_is_refused(fleet_file: Path):
    result = CliRunner().invoke(serve, ["-f", str(fleet_file), "--host", "no.such.host.invalid"])
    assert isinstance(result.exception, InvalidConfigError)
    assert "host must be an address of this machine; got 'no.such.host.invalid'" in str(result.exception)


def test_a_folder_without_keys_is_refused_before_the_server_starts(fleet_file: Path, tmp_path: Path):
    result = CliRunner().invoke(serve, ["-f", str(fleet_file), "--api-keys", str(tmp_path)])
    assert isinstance(result.exception, DataError)
    assert f"the folder of API keys, {tmp_path}, must hold at least one key: it is empty" in str(result.exception)


def test_predict_imports_nothing_that_trains_or_serves(fleet_file: Path, photos: Path):
    code = (
        "import sys\n"
        "from coachworks.cli.predict import predict\n"
        "predict.main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'torch', 'pandas', 'mlflow', 'bentoml', 'kfp', 'fastapi', 'starlette'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, "-f", str(fleet_file), str(photos), "--json"], check=True)


def test_names_are_shown_as_they_are(fleet_file: Path, photos: Path, tmp_path: Path):
    odd = tmp_path / "[bold]odd[red].jpg"
    odd.write_bytes((photos / "a.jpg").read_bytes())
    broken = tmp_path / "[link]broken.jpg"
    broken.write_bytes(b"x")
    result = run("-f", fleet_file, odd, broken)
    assert "[bold]odd[red].jpg" in "".join(result.stdout.split())
    assert "[link]broken.jpg: the file is not an image" in result.stderr


@pytest.mark.slow  # builds a bento; test_child_server.py holds the message
def test_a_server_that_does_not_start_gives_the_reason(tmp_path: Path, fabricated: ModuleType):
    from coachworks.child_server import ServerError

    fleet, store, register = fabricated.fabricate(tmp_path)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    result = package(fleet, [register])
    bento = store.fetch(json.loads((result.path / "bento.json").read_text())["path"])
    (bento / "src" / "serving" / "service.py").write_text("raise SystemError('out of order')")
    expected = pytest.raises(ServerError, match=r"(?s)the server ended with status .*out of order")
    with expected, serving(tmp_path / "fleet.yaml"):
        pass


@pytest.mark.parametrize("url", [(), ("--url", "http://127.0.0.1:9")])
def test_what_is_no_regular_file_is_refused_at_once(url: tuple[str, ...], fleet_file: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    result = run(tmp_path / "pipe.jpg", "/dev/zero", "-f", fleet_file, *url)
    assert result.exit_code == 1
    for reason in ("a FIFO", "a device"):
        assert f"it cannot be read: it must be a regular file; it is {reason}. Name a photo" in " ".join(
            result.output.split()
        )
