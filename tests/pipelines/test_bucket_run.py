"""The whole chain on a store in a bucket, whose server answers a fifth of all requests with errors."""

from pathlib import Path
from typing import Any

import pytest

import components
from coachworks.fleet.model import Fleet
from coachworks.fleet.reader import read_fleet
from coachworks.result import Result
from coachworks.results import ancestor, load
from coachworks.steps import Step, discover
from coachworks.store import open_store
from components.evaluate.report import EvaluateReport
from faults import FaultyProxy
from s3_server import local_s3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def do(step: Step, fleet: Fleet, upstream: str | None) -> Result:
    if upstream is None:
        return step.function()(fleet)
    if step.per_lane:
        return step.function()(fleet, upstream, fleet.lanes()[0])
    return step.function()(fleet, [upstream] if step.joins_lanes else upstream)


def chain(fleet: Fleet) -> list[Result]:
    results: list[Result] = []
    for step in discover(components):
        if step.name == "deploy":  # needs a cluster
            continue
        results.append(do(step, fleet, results[-1].key if results else None))
    return results


def test_the_chain_comes_to_the_same_in_an_unreliable_bucket_as_in_a_folder(
    same_toys: Path, toys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_coachworks: Any
) -> None:
    place = f"  store: s3://toys/made/here\n  tracking: sqlite:///{tmp_path}/mlflow.db\n"
    same_toys.write_text(same_toys.read_text().replace("  sources:\n", f"{place}  sources:\n"))
    fleet = read_fleet(same_toys)
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    with local_s3() as server, FaultyProxy(server.url, error_rate=0.2, seed=5, stall_s=0.2) as proxy:
        server.make_bucket("toys")
        server.lead_to(monkeypatch, proxy.url)
        results = chain(fleet)
        assert [result.step for result in results if result.reused] == []
        assert proxy.spoilt > 100

        proxy.error_rate = 0.05
        monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "another-machine"))
        assert [result.step for result in chain(fleet) if not result.reused] == []
        store = open_store(fleet.spec.store)
        document = load(store, "document", results[-1].key)
        assert (document.path / "index.html").is_file()
        judged = {
            skill: (entry.winner, entry.balanced_accuracy.value)
            for skill, entry in ancestor(store, results[-3], EvaluateReport).report.skills.items()
            if entry.status == "passed"
        }
        assert judged == {
            row["skill"]: (row["winner"], pytest.approx(row["balanced_accuracy"]["value"], abs=1e-6))
            for row in toys.table["skills"]
            if row["status"] == "passed"
        }
        answered = run_coachworks("predict", "--json", "-f", same_toys, same_toys.parent / "photos/thing000-0.jpg")
        assert answered.returncode == 0, answered.stderr
        again = run_coachworks("run", "--json", "-f", same_toys)
        assert f'"document": "{document.place}/index.html"' in again.stdout, again.stderr
        server.lead_to(monkeypatch)
