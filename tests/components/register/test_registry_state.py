"""State of the registry, read by MLflow's client and from the embedded SQLite file."""

import shutil

import pytest

from coachworks.context import open_context
from coachworks.results import load
from coachworks.tracking import open_client, tracking_of
from components.evaluate.report import EvaluateReport
from components.register.lineage import Lineage
from components.register.registry_sqlite import read_sqlite
from components.register.registry_state import RegistryState, is_complete, read_registry
from components.register.step import register


@pytest.fixture
def client(chain, alone, empty_database):
    """A client of an empty embedded registry."""
    tracking = tracking_of(alone)
    tracking.database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, tracking.database)
    return open_client(tracking)


@pytest.fixture
def read_both(chain, alone, client):
    """Reads the state for an evaluation by both ways, which must agree."""

    def read(evaluate):
        record = Lineage(alone, chain.store, load(chain.store, EvaluateReport, evaluate), None).skill("view")
        from_client = read_registry(client, record)
        # None, or another state, means that MLflow's tables have changed: adapt components/register/registry_sqlite.py
        assert read_sqlite(tracking_of(alone), record) == from_client
        return from_client

    return read


def test_sqlite_and_client_give_the_same_state_of_every_kind(chain, alone, client, read_both):
    first, second = chain.evaluation(noise=0.62, skills=["view"]), chain.evaluation(seed=1, skills=["view"])
    worse = chain.evaluation(noise=0.62, seed=2, skills=["view"])
    assert read_both(first) == RegistryState()
    register(alone, first)
    assert read_both(first).champion.number == "1"
    assert read_both(second).run_id is None
    register(alone, second)
    register(alone, worse)
    state = read_both(worse)
    assert (len(state.versions), state.aliases) == (3, {"champion": "2", "challenger": "3"})
    unfinished = client.create_run(state.experiment_id, tags=client.get_run(state.run_id).data.tags)
    assert read_both(worse).duplicates == 1
    client.set_terminated(unfinished.info.run_id, "FAILED")
    assert read_both(worse).duplicates == 1
    client.delete_run(unfinished.info.run_id)
    assert read_both(worse).duplicates == 0
    client.create_model_version("showroom.view", "elsewhere", tags=dict(state.versions[-1].tags))
    assert read_both(worse).duplicates == 1
    client.delete_model_version("showroom.view", "1")
    assert [version.number for version in read_both(first).versions] == ["2", "3", "4"]
    client.delete_registered_model_alias("showroom.view", "champion")
    assert read_both(second).champion is None
    client.delete_experiment(state.experiment_id)
    assert read_both(worse).run_id is None


def test_a_failed_evaluation_is_complete_once_its_run_is(chain, alone, client, read_both):
    failed = chain.evaluation(skills=["view"], status="failed")
    record = Lineage(alone, chain.store, load(chain.store, EvaluateReport, failed), None).skill("view")
    assert not is_complete(record, read_both(failed))
    register(alone, failed, context=open_context(alone, tracking=tracking_of, run="monday"))
    assert is_complete(record, read_both(failed))


def test_a_file_that_is_not_a_registry_is_left_to_mlflow(chain, alone):
    evaluate = chain.evaluation(skills=["view"])
    record = Lineage(alone, chain.store, load(chain.store, EvaluateReport, evaluate), None).skill("view")
    tracking = tracking_of(alone)
    assert read_sqlite(tracking, record) is None
    tracking.database.parent.mkdir(parents=True)
    tracking.database.write_bytes(b"not a database, but long enough to be read as one")
    assert read_sqlite(tracking, record) is None
