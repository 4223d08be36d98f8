"""`coachworks init` and `coachworks check`, as people call them."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from coachworks.cli.check import check
from coachworks.cli.deploy import deploy
from coachworks.cli.init import init
from coachworks.cli.run import run as run_command
from coachworks.cli.submit import submit
from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.fleet.problems import InvalidFleetError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with photos of two labels in `pets`."""
    for index in range(20):
        path = tmp_path / "pets" / ("cat" if index % 2 else "dog") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_init_writes_a_file_that_check_accepts_and_names_the_next_commands(here):
    begun = run(init, "pets")
    assert begun.exit_code == 0
    assert "fleet.yaml: 1 skill over 20 photos, by the names of the sub-folders" in begun.output
    assert "coachworks check" in begun.output
    assert "coachworks run" in begun.output
    checked = run(check)
    assert checked.exit_code == 0
    assert f"found    {here / 'pets'}" in checked.output


def test_init_does_not_overwrite_unless_forced(here):
    (here / "fleet.yaml").write_text("mine")
    with pytest.raises(InvalidConfigError, match=r"fleet.yaml exists already. .*overwrite it with `--force`"):
        run(init, "pets")
    assert (here / "fleet.yaml").read_text() == "mine"
    assert run(init, "pets", "--force").exit_code == 0
    assert (here / "fleet.yaml").read_text() != "mine"


def test_init_elsewhere_names_the_file_in_the_next_commands(here):
    begun = run(init, "pets", "-f", "deep/other.yaml")
    assert "coachworks check -f deep/other.yaml" in begun.output
    assert run(check, "-f", "deep/other.yaml").exit_code == 0


def test_check_prints_every_problem_and_ends_with_2(here):
    run(init, "pets")
    path = here / "fleet.yaml"
    path.write_text(path.read_text().replace("kind: Fleet", "kind: Pod").replace("store:", "stor:"))
    checked = run(check)
    assert checked.exit_code == 2
    assert checked.stdout.splitlines() == [
        "fleet.yaml:4:7: `kind` must be Fleet; got 'Pod'.",
        "fleet.yaml:8:3: unknown key 'stor' in `spec`. Did you mean `store`?",
    ]
    assert "2 problems in fleet.yaml" in checked.stderr


def test_check_without_a_file_names_the_command_that_writes_one(here):
    checked = run(check)
    assert checked.exit_code == 2
    assert "fleet.yaml:1:1: there is no such file. Write one with `coachworks init PHOTOS`" in checked.stdout


def test_check_reports_missing_photos(here):
    run(init, "pets")
    (here / "pets").rename(here / "gone")
    checked = run(check)
    assert checked.exit_code == 0
    assert f"missing  {here / 'pets'}" in checked.output


def test_check_uses_no_bucket_and_no_server_and_reports_that(here, monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"connected to {arguments}")

    run(init, "pets", "--store", "s3://team/pets", "--tracking", "https://mlflow.example", "--environment", "pets")
    path = here / "fleet.yaml"
    path.write_text(path.read_text().replace("photos: ./pets", "photos: s3://other/pets"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    checked = run(check)
    assert checked.exit_code == 0
    assert "bucket   s3://other/pets" in checked.output
    assert "not checked: bucket team, bucket other, MLflow at https://mlflow.example, cluster." in checked.output
    assert checked.output.endswith("valid. Next: coachworks submit\n")


def test_check_of_a_fleet_on_this_machine_checks_everything(here):
    run(init, "pets")
    checked = run(check)
    assert "not checked" not in checked.output
    assert checked.output.endswith("valid. Next: coachworks run\n")


def test_init_refuses_a_bucket_and_explains_the_way_out(here):
    with pytest.raises(NotFoundError, match=r"got a bucket, s3://team/pets. Copy .* then put the bucket in `photos`"):
        run(init, "s3://team/pets")


@pytest.mark.parametrize("command", [check, init])
def test_help_shows_examples(command):
    assert "Examples:" in run(command, "--help").output


def test_check_asks_the_libraries_about_transforms_and_backbones(here):
    run(init, "pets")
    path = here / "fleet.yaml"
    text = path.read_text().replace("backbone: efficientnet-lite0", "backbone: ./no-such-folder")
    path.write_text(text.replace("  augment:\n", "  augment:\n    transforms: [HorizontalFlop: {p: 0.5}]\n"))
    checked = run(check)
    assert checked.exit_code == 2
    lines = path.read_text().splitlines()
    backbone = next(n for n, line in enumerate(lines, 1) if "backbone:" in line)
    assert f"fleet.yaml:{backbone}:" in checked.output
    assert "backbone must be an existing folder" in checked.output
    assert "Did you mean `HorizontalFlip`?" in checked.output


def test_check_refuses_auto_where_no_backbone_is_installed(here, monkeypatch):
    run(init, "pets")
    path = here / "fleet.yaml"
    path.write_text(path.read_text().replace("backbone: efficientnet-lite0", "backbone: auto"))
    assert run(check).exit_code == 0
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    checked = run(check)
    assert checked.exit_code == 2
    assert (
        "`backbone: auto` compares the backbones whose weights are installed, and none is. Run `pip" in checked.output
    )


TABLED = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata:
  name: cars
spec:
  sources:
    - {photos: ./pets, table: ./labels.csv}
  deploy:
    namespace: cars
    values:
      drainSeconds: 20
  skills:
    kind:
      labels: [inside, outside]
    quality:
      labels: [good, blurry]
"""


@pytest.fixture
def tabled(here: Path) -> Path:
    """A fleet file whose table calls the skill `kind` by another name."""
    rows = ["filename,content,quality", *(f"{n}.png,{('inside', 'outside')[n % 2]},good" for n in range(4))]
    (here / "labels.csv").write_text("\n".join([*rows, "5.png,,blury"]), "utf-8")
    (here / "fleet.yaml").write_text(TABLED, "utf-8")
    return here / "fleet.yaml"


def test_check_compares_the_skills_with_the_tables(tabled):
    checked = run(check)
    assert checked.exit_code == 0
    assert checked.stdout.splitlines()[-4:] == [
        (
            "fleet.yaml:13:5: warning: no photo carries an answer to 'kind'; did you rename 'content'? Then write "
            "`was: content` at the skill, or rename the column to 'kind'."
        ),
        (
            "fleet.yaml:15:5: warning: 1 answer to 'quality' not among its labels: 'blury' on 1 photo; did you mean "
            "'blurry'? Correct them, or add to `labels`."
        ),
        "fleet.yaml:15:5: warning: no photo has the label 'blurry' of 'quality'. Add photos of it.",
        "valid, with 3 warnings. Next: coachworks run",
    ]


def test_check_compares_a_skill_with_the_names_of_its_sub_folders(here):
    run(init, "pets")
    (here / "pets" / "cat").rename(here / "pets" / "kitten")
    checked = run(check)
    assert checked.exit_code == 0
    assert "warning: 1 answer to 'pets' not among its labels: 'kitten'. Correct them, or add" in checked.output
    assert "warning: no photo has the label 'cat' of 'pets'" in checked.output


def test_check_does_not_judge_skills_while_a_table_is_missing_or_in_a_bucket(tabled):
    text = tabled.read_text()
    for other in ("./none.csv", "s3://team/labels.csv"):
        source = f"    - {{photos: ./pets, table: {other}}}\n"
        tabled.write_text(text.replace("  deploy:\n", f"{source}  deploy:\n"))
        checked = run(check)
        assert checked.exit_code == 0
        assert "no photo carries an answer" not in checked.output
        assert "1 answer to 'quality' not among its labels" in checked.output


def test_check_refuses_a_table_that_ingest_would_refuse(tabled):
    (tabled.parent / "labels.csv").write_text("photo,kind\n1.png,inside\n", "utf-8")
    checked = run(check)
    assert checked.exit_code == 2
    assert "fleet.yaml:7:31: table labels.csv must have a column filename or path or file; its columns are" in (
        checked.stdout
    )


def test_check_refuses_values_that_the_chart_refuses(tabled):
    text = tabled.read_text().replace("drainSeconds: 20", "nonsense: 1\n      drainSecond: 20\n      tolerations: many")
    tabled.write_text(text.replace("  skills:\n    kind", "    skills: {kind: {helth: {}}}\n  skills:\n    kind"))
    checked = run(check)
    assert checked.exit_code == 2
    lines = checked.stdout.splitlines()
    assert lines[0].startswith("fleet.yaml:11:7: charts/fleet has no value `nonsense`. Known there: ")
    assert lines[1] == "fleet.yaml:12:7: charts/fleet has no value `drainSecond`. Did you mean `drainSeconds`?"
    assert lines[2].startswith(
        "fleet.yaml:13:7: `spec.deploy.values.tolerations` is refused by charts/fleet: 'many' is"
    )
    assert lines[3] == "fleet.yaml:14:21: charts/fleet has no value `kind.helth`. Did you mean `health`?"


@pytest.mark.parametrize("command", [deploy, run_command, submit], ids=lambda command: command.name)
def test_what_deploys_refuses_such_values_before_anything_is_done(tabled, command):
    text = tabled.read_text().replace("drainSeconds: 20", "nonsense: 1")
    tabled.write_text(text.replace("  deploy:\n", "  deploy:\n    automatic: true\n"))
    with pytest.raises(InvalidFleetError, match=r"fleet.yaml:12:7: charts/fleet has no value `nonsense`\. Known there"):
        run(command)
    assert not (tabled.parent / "store").exists()
