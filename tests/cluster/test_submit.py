"""Three runs of the demo's fleet on a real cluster: a first one, one with nothing changed, one under fire."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster_fleet import ClusterFleet, bucket_client, make_fleet
from faults import FaultyProxy
from lab import PIPELINES, Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def fleet(
    lab: Lab,
    session_name: str,
    image: Callable[[str], str],
    platform: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterFleet]:
    made = make_fleet(
        lab, session_name, tmp_path_factory.mktemp("fleet"), image("steps"), platform.here, platform.credentials
    )
    made.tell_pods(s3=lab.s3, tracking=platform.inside)
    try:
        yield made
    finally:
        made.remove()


@dataclass(frozen=True)
class Done:
    table: dict[str, Any]
    said: str
    returncode: int

    @property
    def run(self) -> str:
        return str(self.table["run"])


@pytest.fixture(scope="module")
def first(fleet: ClusterFleet) -> Done:
    """The fleet submitted and waited for."""
    done = fleet.coachworks("submit", "--wait", "--json")
    assert done.stdout, done.stderr
    return Done(json.loads(done.stdout), done.stderr, done.returncode)


def rows(table: dict[str, Any]) -> dict[str, Any]:
    return {row["skill"]: row for row in table["skills"]}


def test_a_submitted_run_trains_and_registers_every_skill(first: Done) -> None:
    assert first.table["state"] == "succeeded", first.said
    assert {row["registration"] for row in first.table["skills"]} == {"champion"}, first.said


def test_it_was_followed_step_by_step(first: Done) -> None:
    for step in ("ingest", "split", "validate", "augment", "embed", "package", "document"):
        assert f"✓ {step}" in first.said
    assert "#/runs/details/" in first.said
