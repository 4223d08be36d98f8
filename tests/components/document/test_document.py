"""Content of the documents, from complete and from incomplete records."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kfp import dsl

from coachworks.context import open_context
from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.task import Task
from coachworks.tracking import tracking_of
from components.document import DocumentConfig
from components.document.step import document


@pytest.fixture(scope="module")
def written(showroom):
    return document(showroom.fleet, showroom.package)


@pytest.fixture(scope="module")
def page_text(written):
    """Function that returns the visible text of a page."""

    def read(name: str) -> str:
        html = (written.path / f"{name}.html").read_text("utf-8")
        text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
        return re.sub(r"\s+", " ", text.replace("&#39;", "'"))

    return read


def test_every_skill_and_the_fleet_have_html_pdf_and_latex(written, showroom):
    assert set(written.report.documents) == {"fleet", *showroom.fleet.spec.skills}
    for files in written.report.documents.values():
        assert (written.path / files.html).read_text("utf-8").startswith("<!doctype html>")
        assert (written.path / files.pdf).read_bytes().startswith(b"%PDF")
        assert (written.path / files.tex).read_text("utf-8").startswith(r"\documentclass")


def test_an_html_page_loads_nothing_from_elsewhere(written):
    for page in written.path.glob("*.html"):
        html = page.read_text("utf-8")
        assert not re.search(r'(?:src|href)="(?!data:|#|[a-z0-9-]+\.html")', html)
        assert "<script" not in html
        assert "@import" not in html
        assert page.stat().st_size < 2_000_000


def test_the_pictures_of_the_latex_sources_exist(written):
    for source in written.path.glob("*.tex"):
        for picture in re.findall(r"\\includegraphics\[[^]]*\]\{([^}]*)\}", source.read_text("utf-8")):
            assert (written.path / picture).is_file()


def test_the_document_of_a_good_skill_begins_with_conclusion_and_interval(page_text):
    text = page_text("image-content")
    assert "In short Good enough for use On 10 test photos of 5 separate things" in text
    assert "With a confidence of 95 %, the true figure lies between" in text


def test_the_document_of_a_failed_skill_names_the_missed_gate_and_the_next_step(page_text):
    text = page_text("image-quality")
    assert "Not good enough yet" in text
    assert "It misses 1 gate of 2: balanced accuracy, at least 85" in text
    assert "What to do next." in text


def test_a_dropped_skill_has_a_page_with_reason_and_way_out(page_text):
    text = page_text("body-type")
    assert "Left out of this run" in text
    assert "988 are missing" in text
    assert "Add 988 photos of 'van'" in text
    assert "Quality and certainty" not in text


def test_the_document_of_a_challenger_names_the_version_that_stays_packaged(page_text):
    text = page_text("colour")
    assert "Good enough, but version 3 stays the champion" in text
    assert "Version 3, from an earlier run, stays packaged." in text
    assert "this version reaches 86 % balanced accuracy, the other one 88 %" in text


def test_a_champion_is_compared_with_the_version_that_it_beat(page_text):
    assert "this version reaches 88 % balanced accuracy, the other one 86 %" in page_text("image-content")


def test_the_document_of_a_failed_skill_says_that_no_version_is_packaged(page_text):
    assert "No version is packaged." in page_text("image-quality")


def test_data_come_with_counts_sources_permissions_and_dates(page_text):
    text = page_text("image-content")
    assert "47 photos have a label" in text
    assert "client site CC-BY 4.0" in text
    assert "own garage not recorded" in text
    assert "The photos were taken between 2 March 2026 and 30 March 2026" in text
    assert "1 further photo had unsure or contradicting answers" in text


def test_training_names_backbone_candidates_winner_and_reason(page_text):
    text = page_text("image-content")
    assert "efficientnet-lite0" in text
    assert "Linear head: one weighted sum per label — chosen" in text
    assert "Linear is within one standard error (0.021) of svm" in text
    assert "counts as much as" in text


def test_the_probabilities_come_with_what_they_were_corrected_by(page_text):
    text = page_text("colour")
    assert "after correction by one number, the temperature (1.32)" in text
    assert (
        "The correction was fitted on 412 photos other than the test photos, each answered by a copy of the skill that "
        "was trained without it. Choice: temperature, from 412 out-of-fold answers."
    ) in text


def test_examples_right_and_wrong_are_pictures(written):
    html = (written.path / "image-quality.html").read_text("utf-8")
    assert html.count("data:image/jpeg;base64,") >= 4
    assert "correct: " in html


def test_limits_are_read_from_the_data(page_text):
    text = page_text("image-content")
    assert "fewer photos than the rule of thumb of 1,000" in text
    assert "The test is based on 5 separate things" in text
    assert "even to a photo that shows none of them" in text


def test_one_source_only_is_a_limit(build):
    chain = build(sources=("own garage",), skills={"colour": {"labels": ["red", "blue"]}})
    result = document(chain.fleet, chain.package)
    assert "All photos come from one source, ‘own garage’" in (result.path / "colour.html").read_text("utf-8")


def test_the_document_has_versions_and_an_example_request(page_text):
    text = page_text("image-content")
    assert "Packaged version 3" in text
    assert "cccccccccccccccc" in text
    assert "http://localhost:3000/v1/predict?skills=image-content" in text


def test_the_fleet_page_lists_all_skills_with_bars_and_links(written, page_text):
    html = (written.path / "index.html").read_text("utf-8")
    for name in ("image-content", "image-quality", "body-type", "colour"):
        assert f'<a href="{name}.html">{name}</a>' in html
    assert html.count('<svg class="bar"') == 3
    assert "2 of 4 skills are packaged" in page_text("index")
    outcome = "1 champion, 1 challenger (the champion stays), 1 not good enough yet and 1 left out"
    assert f"Outcome of this run: {outcome}." in page_text("index")
    assert "3 files could not be used: the same photo twice (1) and damaged file (2)." in page_text("index")


def test_the_summary_is_a_markdown_table_of_all_skills(written):
    summary = (written.path / written.report.summary).read_text("utf-8")
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "not good enough" in summary


def test_equal_records_give_equal_documents_which_are_not_written_twice(written, showroom):
    again = document(showroom.fleet, showroom.package)
    assert again.reused
    afresh = document(
        showroom.fleet,
        showroom.package,
        context=open_context(showroom.fleet, tracking=tracking_of, run="r", refresh=["document"]),
    )
    assert afresh.key != written.key
    files = [p.relative_to(written.path) for p in written.path.rglob("*") if p.is_file() and p.name not in RECORDS]
    assert files
    for file in files:
        assert (afresh.path / file).read_bytes() == (written.path / file).read_bytes(), file


RECORDS = {"report.json", ".tree"}  # they hold the result's own key
NOTHING = {"skills": {}}
SPARSE = {
    "ingest": {},
    "validate": {"skills": {"colour": {"passed": True}}},
    "augment": {},
    "embed": {},
    "train": {"skills": {"colour": {"status": "trained", "candidates": {"linear": {}}, "winner": "linear"}}},
    "evaluate": {
        "skills": {
            "colour": {
                "status": "passed",
                "balanced_accuracy": {"value": 0.9, "low": None, "high": None},
                "macro_f1": None,
                "per_label": {"red": {"recall": None}},
                "confusion": None,
                "gates": [{"gate": "min_balanced_accuracy", "limit": 0.8, "value": None, "passed": None}],
                "mistakes": [{"photo_id": "unknown"}],
            }
        }
    },
    "register": {"skills": {"colour": {"status": "champion"}}},
    "package": {"skills": {"colour": {}}},
}


@pytest.mark.parametrize("reports", [SPARSE, dict.fromkeys(SPARSE, NOTHING), {step: {} for step in SPARSE}])
def test_missing_fields_are_reported_as_not_measured(build, reports):
    chain = build(skills={"colour": {"labels": ["red", "blue"]}}, reports=reports, pictures=False)
    result = document(chain.fleet, chain.package)
    html = (result.path / "colour.html").read_text("utf-8")
    assert "not measured" in html.lower()
    assert "None" not in re.sub(r"base64,[^\"]*", "", html)
    assert "nan" not in re.sub(r"<style>.*?</style>|base64,[^\"]*", "", html, flags=re.DOTALL).lower()


def test_labels_with_markup_are_shown_as_text(build):
    labels = ["50 % of a_b #1 & {x}", "<script>alert(1)</script>", r"\input{/etc/passwd}", "Größe 轮胎 <<x>>"]
    chain = build(skills={"nasty": {"labels": labels, "question": "#x $y$ \\z"}}, sources=("<b>%s</b> ~_^",))
    result = document(chain.fleet, chain.package)
    html = (result.path / "nasty.html").read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on PATH")
def test_pdflatex_compiles_the_latex_sources(written, tmp_path):
    folder = shutil.copytree(written.path, tmp_path / "sources")
    for files in written.report.documents.values():
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", files.tex]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        assert b"Overfull \\hbox (1" not in done.stdout


def test_forty_labels_fit(build):
    labels = [f"label-{index:02d}" for index in range(40)]
    chain = build(skills={"fine": {"labels": labels}}, per_split=(60, 20, 50))
    result = document(chain.fleet, chain.package)
    assert "The most frequent mistakes" in (result.path / "fine.html").read_text("utf-8")


def test_a_missing_photo_is_omitted(build):
    chain = build(skills={"colour": {"labels": ["red", "blue"]}})
    shutil.rmtree(Path(chain.store.uri) / "photos")
    result = document(chain.fleet, chain.package)
    assert "data:image/jpeg" not in (result.path / "colour.html").read_text("utf-8")


def test_an_unknown_package_is_refused(showroom):
    with pytest.raises(NotFoundError, match="no result of the step 'package' under 'nothing'"):
        document(showroom.fleet, "nothing")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"examples": 25}, "examples must be an integer from 0 to 24; got 25"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(setting, message):
    with pytest.raises(InvalidConfigError, match=re.escape(message)):
        DocumentConfig(**setting)


@pytest.fixture(scope="module")
def summary(showroom, tmp_path_factory):
    from components.document.component import document as component

    folder = tmp_path_factory.mktemp("dashboard")
    metrics, summary, matrices = dsl.Metrics(), dsl.Markdown(), dsl.HTML()
    summary.path, matrices.path = str(folder / "summary.md"), str(folder / "matrices.html")
    artifacts = (metrics, summary, matrices)
    key = component.python_func(showroom.fleet.to_json(), showroom.package, *artifacts)
    return key, metrics, summary, Path(summary.path).read_text("utf-8")


def test_the_component_writes_the_table_for_the_dashboard(showroom, summary):
    key, metrics, artifact, text = summary
    result = document(showroom.fleet, showroom.package)
    assert key == result.key
    assert (result.path / "summary.md").read_text("utf-8").strip() in text.replace("&nbsp;", "")
    assert artifact.metadata["display_name"] == "Summary of showroom"
    assert metrics.metadata["documents"] == len(result.report.documents)


def test_the_dashboard_shows_the_matrices_of_all_lanes_on_one_page(showroom, summary):
    _, _, artifact, _ = summary
    html = (Path(artifact.path).parent / "matrices.html").read_text("utf-8")
    judged = set(showroom.fleet.spec.skills) - {"body-type"}
    assert set(re.findall("<h2>(.*?)</h2>", html)) == judged
    assert "<td>body-type<" in html
    assert html.count("/page.html</code>") == len(showroom.fleet.lanes())


def test_the_dashboard_has_the_addresses_of_all_results(showroom, summary):
    key, _, _, text = summary
    store = showroom.store.uri
    assert f"`{store}/results/document/{key}/index.html`" in text
    assert f"`{store}/results/validate/{showroom.results['validate'].key}/page.html`" in text
    assert text.count("/page.html`") == 3  # validation, and the evaluation of each lane
    assert "`coachworks mlflow` shows them" in text


def test_the_dashboard_links_to_a_tracking_server(showroom, tmp_path, monkeypatch):
    from components.document.dashboard import show

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org/")
    monkeypatch.setenv("COACHWORKS_TRACKING_PATIENCE_S", "0")
    result = document(showroom.fleet, showroom.package)
    summary, matrices = dsl.Markdown(), dsl.HTML()
    summary.path, matrices.path = str(tmp_path / "summary.md"), str(tmp_path / "matrices.html")
    task = Task(showroom.fleet, open_context(showroom.fleet, tracking=tracking_of), result)
    show(task, dsl.Metrics(), summary, matrices)
    text = (tmp_path / "summary.md").read_text("utf-8")
    assert "(https://mlflow.example.org/#/models/showroom.colour?" in text
    assert "(https://mlflow.example.org/#/experiments/1/runs?" in text
