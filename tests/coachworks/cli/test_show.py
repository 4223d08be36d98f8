"""`coachworks show`: pages of the newest results, fetched from a bucket where the store is one."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coachworks.context import Context
from coachworks.results import jsonable, produce
from coachworks.store import S3Store, Store
from components.document.report import DocumentReport
from components.evaluate.report import EvaluateReport
from components.train.report import TrainReport
from reports import report_of

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: cars}}
spec:
  store: {store}
  tracking: https://mlflow.example
  sources: [{{photos: s3://cars/photos, skill: view}}]
  skills: {{view: {{labels: [front, rear]}}, light: {{labels: [day, night]}}, dirt: {{labels: [clean, dirty]}}}}
"""


def write_results(store: Store) -> None:
    """Write the results of a run with two lanes, with one small page each."""

    def key(step: str, upstream: dict[str, Any], report: Any = None, **files: str) -> str:
        def build(folder: Path) -> Any:
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name.replace("__", "-").replace("_html", ".html")).write_text(text, "utf-8")
            return jsonable(report) if report else {}

        return produce(step, upstream, build, context=Context(store), code="1").key

    split = key("split", {"ingest": key("ingest", {})})
    validate = key("validate", {"split": split}, page_html="validation")
    augment = key("augment", {"validate": validate}, contact__sheet_html="sheet")
    embed = key("embed", {"augment": augment})
    lanes = []
    for skill in ("view", "light"):
        report = report_of(EvaluateReport, {"skills": {skill: {"status": "passed"}}})
        noise = {"label_noise": {"level": {"value": 0.1, "low": 0.0, "high": 0.2}}}
        learnt = report_of(TrainReport, {"skills": {skill: {"status": "trained", **noise}, "dirt": {}}})
        page = {f"{skill}/suspicious-labels.html": f"labels of {skill}"}
        train = key("train", {"embed": embed, "of": skill}, learnt, **page)
        evaluate = key("evaluate", {"train": train}, report, page_html=f"of {skill}")
        lanes.append(key("register", {"evaluate": evaluate}))
    files = {"html": "view.html", "pdf": "view.pdf", "tex": "view.tex"}
    documents = {"view": files, "fleet": {"html": "index.html", "pdf": "index.pdf", "tex": "index.tex"}}
    report = report_of(DocumentReport, {"documents": documents, "statuses": {}, "summary": "summary.md"})
    package = key("package", {"register": lanes})
    key("document", {"package": package}, report, index_html="fleet", view_html="a skill")


def show(folder: Path, store: str, *arguments: str) -> Result:
    from coachworks.cli.main import cli

    (folder / "fleet.yaml").write_text(FLEET.format(store=store))
    return CliRunner().invoke(cli, ["show", "-f", str(folder / "fleet.yaml"), *arguments])


@pytest.fixture
def filled(in_bucket: S3Store) -> str:
    write_results(in_bucket)
    return in_bucket.uri


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ([], ["fleet"]),
        (["document", "view"], ["a skill"]),
        (["validation"], ["validation"]),
        (["contact-sheet"], ["sheet"]),
        (["evaluation"], ["of view", "of light"]),
        (["evaluation", "light"], ["of light"]),
        (["suspicious-labels"], ["labels of view", "labels of light"]),
        (["suspicious-labels", "light"], ["labels of light"]),
    ],
)
def test_a_page_in_a_bucket_is_fetched_and_its_path_printed(
    filled: str, tmp_path: Path, arguments: list[str], texts: list[str]
) -> None:
    done = show(tmp_path, filled, *arguments)
    assert done.exit_code == 0, done.output
    assert [Path(line).read_text("utf-8") for line in done.output.splitlines()] == texts
    copied = show(tmp_path, filled, *arguments, "--output", str(tmp_path / "out"))
    paths = [Path(line) for line in copied.output.splitlines()]
    assert [path.read_text("utf-8") for path in paths] == texts
    assert {path.parent for path in paths} == {tmp_path / "out"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["document", "light"], "there is no document of 'light'; there are those of: view, fleet."),
        (["evaluation", "dirt"], "'dirt' was not evaluated. `coachworks status` shows why."),
        (["suspicious-labels", "dirt"], "the labels of 'dirt' could not be judged: that takes a trained skill with"),
        (["validation", "view"], "validation is about all skills together; leave out 'view'"),
        (["document", "veiw"], "Did you mean `view`?"),
    ],
)
def test_a_page_that_does_not_exist_is_refused(filled: str, tmp_path: Path, arguments: list[str], message: str) -> None:
    done = show(tmp_path, filled, *arguments)
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_before_the_first_run_the_command_that_makes_the_page_is_named(in_bucket: S3Store, tmp_path: Path) -> None:
    done = show(tmp_path, in_bucket.uri)
    assert "has got as far as document yet. `coachworks submit` makes it." in str(done.exception)
