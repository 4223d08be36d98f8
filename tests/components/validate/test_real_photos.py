"""Validation of real photos."""

import csv

import pytest

from components.ingest.step import ingest
from components.split.step import split
from components.validate.admitted import admitted
from components.validate.step import validate

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture
def trashnet(data_folder, tmp_path, fleet_of):
    rows = list(csv.DictReader((data_folder / "trashnet" / "labels.csv").open(encoding="utf-8")))
    table = tmp_path / "trashnet.csv"
    lines = ["filename,material", *(f"{row['path']},{row['material']}" for row in rows)]
    table.write_text("\n".join(lines), "utf-8")
    fleet = fleet_of(material={"labels": sorted({row["material"] for row in rows})})
    source = fleet.spec.sources[0].model_copy(
        update={"photos": str(data_folder / "trashnet"), "table": str(table), "permission": "MIT"}
    )
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"sources": [source]})})


def test_the_three_contradicting_pairs_are_found_and_shown_with_both_files(trashnet, store):
    result = validate(trashnet, split(trashnet, ingest(trashnet).key).key)
    verdict = result.report.skills["material"]
    assert verdict.passed
    by_check = {finding.check: finding for finding in verdict.warnings}
    assert by_check["contradicting-duplicates"].count == 3
    page = (result.path / "page.html").read_text("utf-8")
    for first, second in (
        ("glass/glass115.jpg", "metal/metal91.jpg"),
        ("glass/glass176.jpg", "plastic/plastic152.jpg"),
        ("glass/glass389.jpg", "plastic/plastic332.jpg"),
    ):
        (line,) = [line for line in by_check["contradicting-duplicates"].details if first in line]
        assert second in line
        assert first in page
        assert second in page
    message = by_check["photos-per-label"].message
    assert message.startswith("6 labels below the rule of thumb of 1,000: trash has 137")
    assert len(admitted(store, result, trashnet)) == 2521


def test_photos_on_plain_backgrounds_give_few_false_alarms(trashnet):
    result = validate(trashnet, split(trashnet, ingest(trashnet).key).key)
    assert 25 <= result.report.near_duplicates <= 45
    assert {finding.severity for finding in result.report.findings if finding.skill is None} == {"info"}
