"""Evaluate on the dashboard of Kubeflow Pipelines."""

import re
from html.parser import HTMLParser

import pytest
from kfp import dsl

from coachworks.context import open_context
from coachworks.task import Task
from components.evaluate.component import evaluate as component
from components.evaluate.dashboard import show
from components.evaluate.matrices import render, worst_first
from components.evaluate.step import evaluate
from components.train.step import train

NASTY = "<script>alert(\"1\")</script> & 'co'"


class Page(HTMLParser):
    """Tags, attributes that load something, and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.loaded, self.words = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def artifacts(tmp_path):
    artifacts = (dsl.Metrics(), dsl.HTML(), dsl.ClassificationMetrics())
    for name, artifact in zip(("metrics", "page", "confusion"), artifacts, strict=True):
        artifact.path = str(tmp_path / name)
    return artifacts


def skill(value, *, labels=("a", "b"), confusion=((3, 1), (0, 2)), status="passed", **changes):
    sure = {"value": value, "low": value - 0.1, "high": value + 0.1}
    unknown = {"value": None, "low": None, "high": None}
    return {
        "status": status,
        "reason": "It clears every gate",
        "labels": list(labels),
        "winner": "linear",
        "photos": sum(map(sum, confusion)),
        "sets": 3,
        "balanced_accuracy": sure,
        "ece_after": 0.03,
        "per_label": {label: {"recall": sure, "precision": unknown} for label in labels},
        "confusion": [list(row) for row in confusion],
        "sensible_mistakes": 0,
        "silly_mistakes": 1,
        "gates": [{"gate": "min_balanced_accuracy", "limit": 0.7, "value": value, "passed": status == "passed"}],
        "warnings": [],
        "mistakes": [],
        **changes,
    }


def dropped():
    return {"status": "dropped", "reason": "No test photo carries one of its labels.", "labels": ["x"], "winner": None}


def page_of(skills, folder):
    def sheet(name):
        path = folder / name / "mistakes.jpg"
        return path if path.is_file() else None

    return render(skills, fleet="showroom", confidence=0.95, sheet=sheet, places=["s3://bucket/results/page.html"])


def test_the_dashboard_gets_numbers_matrices_and_the_worst_skill(drawn, artifacts, tmp_path):
    fleet, trained, evaluated = drawn
    metrics, _, confusion = artifacts
    key = component.python_func(fleet.to_json(), trained.key, list(fleet.spec.skills), *artifacts)
    skills = evaluated.report.skills
    assert key == evaluated.key
    for name in skills:
        metric = metrics.metadata[f"balanced accuracy: {name}"]
        assert metric == pytest.approx(skills[name].balanced_accuracy.value, abs=1e-6)
    worst = min(skills, key=lambda name: skills[name].balanced_accuracy.value)
    assert worst == "size"  # the features do not show it
    matrix = confusion.metadata["confusionMatrix"]
    assert [row["row"] for row in matrix["rows"]] == skills[worst].confusion
    assert [spec["displayName"] for spec in matrix["annotationSpecs"]] == skills[worst].labels
    assert worst in confusion.metadata["display_name"]
    html = (tmp_path / "page").read_text("utf-8")
    assert f"{fleet.spec.store}/results/evaluate/{key}/page.html" in html


def test_a_lane_of_which_every_skill_was_dropped_still_gives_valid_artifacts(draw_chain, artifacts, tmp_path):
    metrics, _, confusion = artifacts
    fleet, embed = draw_chain(tmp_path / "lane", failures=("color", "size"))
    result = evaluate(fleet, train(fleet, embed).key)
    show(Task(fleet, open_context(fleet), result), *artifacts)
    assert metrics.metadata["skills: dropped"] == 2.0
    assert "confusionMatrix" not in confusion.metadata
    assert confusion.metadata["display_name"] == "No skill of the lane was judged"
    words = " ".join(Page((tmp_path / "page").read_text("utf-8")).words)
    assert "photos leak across splits" in words


def test_the_worst_skill_comes_first_and_dropped_ones_last(tmp_path):
    skills = {"fine": skill(0.9), "gone": dropped(), "poor": skill(0.4, status="failed"), "fair": skill(0.7)}
    assert worst_first(skills) == ["poor", "fair", "fine"]
    html = page_of(skills, tmp_path)
    assert re.findall(r"<h2>(.*?)</h2>", html) == ["poor", "fair", "fine"]
    assert html.index(">fine<") < html.index("<td>gone<")


def test_every_count_of_the_matrix_is_on_the_page(tmp_path):
    counts = ((31, 2, 0), (5, 47, 1), (0, 3, 59))
    html = page_of({"view": skill(0.9, labels=("front", "side", "back"), confusion=counts)}, tmp_path)
    cells = re.findall(r'<td class="(right|wrong)[^"]*" style="--s:[\d.]+" title="(.*?), answered (.*?): (\d+), ', html)
    shown = {(true, answer): int(photos) for _, true, answer, photos in cells}
    labels = ("front", "side", "back")
    assert shown == {(labels[r], labels[c]): counts[r][c] for r in range(3) for c in range(3) if counts[r][c]}
    assert all((kind == "right") == (true == answer) for kind, true, answer, _ in cells)


def test_the_page_is_self_contained_and_escapes_labels(tmp_path):
    skills = {"view": skill(0.9, labels=(NASTY, "b"), reason=NASTY), "gone": dropped() | {"reason": NASTY}}
    page = Page(page_of(skills, tmp_path))
    assert "script" not in page.tags
    assert all(address.startswith(("#", "data:")) for address in page.loaded)
    assert NASTY in "".join(page.words)


def test_the_page_of_a_long_lane_stays_small(tmp_path):
    labels = tuple(f"label {number}" for number in range(12))
    confusion = tuple(tuple(9 if row == column else 1 for column in range(12)) for row in range(12))
    skills = {}
    for number in range(35):
        name = f"skill-{number}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "mistakes.jpg").write_bytes(b"x" * 150_000)
        skills[name] = skill(0.5 + number / 100, labels=labels, confusion=confusion, mistakes=[{"photo_id": "p"}])
    html = page_of(skills, tmp_path)
    assert len(html) < 4_000_000
    assert html.count("<img ") == 10  # the sheets of the worst skills
    assert html.count("<details ") == 35
    assert len(re.findall(r"<details [^>]* open>", html)) == 6
