"""The surroundings of a step: what is opened, when, and how often."""

from pathlib import Path

import pytest
from small_fleets import small_fleet

from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.store import FolderStore
from coachworks.tracking import Tracking, tracking_of


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A located fleet with an embedded tracking store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return small_fleet({"a": {"labels": ["yes", "no"]}}, store="./store").located(tmp_path)


def test_a_context_opens_the_fleet_s_store(fleet: Fleet) -> None:
    context = open_context(fleet, refresh=["train"], dry=True)
    assert context.store.uri == fleet.spec.store
    assert (context.refresh, context.dry, context.run) == ({"train"}, True, None)


def test_tracking_is_opened_once_and_only_when_it_is_used(fleet: Fleet) -> None:
    opened: list[Fleet] = []

    def opener(fleet: Fleet) -> Tracking:
        opened.append(fleet)
        return tracking_of(fleet)

    context = open_context(fleet, tracking=opener)
    assert opened == []
    assert context.tracking is context.tracking
    assert context.tracking.name == "embedded"
    assert opened == [fleet]


def test_a_context_without_tracking_says_how_to_open_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="pass `tracking=tracking_of` to open_context"):
        Context(FolderStore(tmp_path)).tracking  # noqa: B018 — the access opens it
