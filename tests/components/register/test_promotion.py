"""Claims of a promotion, on a real registry; test_server.py has whole registrations that race."""

import json
import shutil
import time
from dataclasses import asdict, replace

import pytest

from coachworks.store import this_process
from coachworks.tracking import ConcurrentChangeError, Tracking, open_client
from coachworks.tracking.tags import PROMOTING
from components.register import promotion
from components.register.promotion import sole_promotion

MODEL = "cars.view"
ABANDONED = {"at": 0.0, "lasts_s": 300.0, "machine": "0123456789ab", "pid": 1, "started": "7"}


@pytest.fixture
def client(tmp_path, empty_database, monkeypatch):
    """A client that takes a registry for one that other machines share."""
    database = tmp_path / "mlflow.db"
    shutil.copyfile(empty_database, database)
    tracking = Tracking(uri=f"sqlite:///{database}", database=database)
    client = open_client(tracking)
    client.create_registered_model(MODEL)
    monkeypatch.setattr(client, "_tracking", replace(tracking, database=None))
    return client


def claims(client):
    return [name for name in client.get_registered_model(MODEL).tags if name.startswith(PROMOTING)]


def test_a_second_promotion_is_refused_while_the_first_is_under_way(client, monkeypatch):
    monkeypatch.setattr(promotion, "_LONGEST_WAIT_S", 0.0)
    with sole_promotion(client, MODEL):
        [own] = claims(client)
        for _ in range(2):  # whichever claim sorts first
            with (
                pytest.raises(ConcurrentChangeError, match=r"another registration promotes a version of 'cars\.view'"),
                sole_promotion(client, MODEL),
            ):
                pytest.fail("two at once")
        assert claims(client) == [own]
    assert claims(client) == []
    with sole_promotion(client, MODEL):
        pass


def test_a_failed_promotion_leaves_no_claim(client):
    with pytest.raises(ZeroDivisionError), sole_promotion(client, MODEL):
        raise ZeroDivisionError
    assert claims(client) == []


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ABANDONED),
        json.dumps({**ABANDONED, "at": time.time(), **asdict(this_process()), "pid": 2**22 - 7}),
        "not ours",
        "{}",
    ],
    ids=["long ago", "killed on this machine", "no JSON", "empty"],
)
def test_an_abandoned_claim_keeps_nobody_out(client, content):
    client.set_registered_model_tag(MODEL, f"{PROMOTING}0", content)
    with sole_promotion(client, MODEL):
        assert f"{PROMOTING}0" not in claims(client)


def test_a_claim_of_another_machine_is_waited_for(client, monkeypatch):
    client.set_registered_model_tag(MODEL, f"{PROMOTING}z", json.dumps({**ABANDONED, "at": time.time()}))
    monkeypatch.setattr(promotion.time, "sleep", lambda _: client.delete_registered_model_tag(MODEL, f"{PROMOTING}z"))
    with sole_promotion(client, MODEL):
        assert len(claims(client)) == 1


def test_an_embedded_registry_needs_no_claim(client, monkeypatch):
    monkeypatch.setattr(client, "_tracking", replace(client._tracking, database="mlflow.db"))
    with sole_promotion(client, MODEL):
        assert claims(client) == []
