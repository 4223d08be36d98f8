"""Register killed at any call to the registry, and two registers at once: the registry is valid, nothing is doubled."""

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from itertools import count

import pytest

from coachworks.tracking import open_client, tracking_of
from components.register.step import register


def in_children(*works: Callable[[], object]) -> list[int]:
    """Exit statuses of forked processes that do `works` at the same time; minus the signal that killed one."""
    children = []
    for work in works:
        children.append(os.fork())
        if children[-1] == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def killed_at_call(number: int, fleet, evaluate: str) -> bool:
    """Register in a child that kills itself before its n-th call to MLflow; return False if it finishes earlier."""

    def work() -> None:
        from mlflow import MlflowClient

        left = number

        def counted(method: Callable) -> Callable:
            def call(*args, **kwargs):
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return method(*args, **kwargs)

            return call

        for name, method in list(vars(MlflowClient).items()):
            if callable(method) and not name.startswith("_"):
                setattr(MlflowClient, name, counted(method))
        register(fleet, evaluate)

    (status,) = in_children(work)
    assert status in {0, -signal.SIGKILL}
    return status == -signal.SIGKILL


def fresh(fleet, template) -> None:
    """The registry that `template` holds."""
    target = tracking_of(fleet).database.parent
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(template, target)


def look(fleet) -> dict:
    """State of the registry, to be read once: this process has not opened the database before."""
    client = open_client(tracking_of(fleet))
    experiment = client.get_experiment_by_name("showroom/view")
    runs = client.search_runs([experiment.experiment_id])
    aliases = client.get_registered_model("showroom.view").aliases
    return {
        "versions": len(client.search_model_versions("name = 'showroom.view'")),
        "aliases": {alias: str(version) for alias, version in aliases.items()},
        "runs": len(runs),
        "unfinished": sum(run.info.status != "FINISHED" for run in runs),
    }


def aliases_in(fleet) -> dict[str, str]:
    with closing(sqlite3.connect(tracking_of(fleet).database)) as connection:
        return {
            name: str(number)
            for name, number in connection.execute("SELECT alias, version FROM registered_model_aliases")
        }


def kill_before(calls, chain, alone, empty_database, template) -> int:
    """Kill a register that promotes a challenger before each of `calls`; return the first call it does not make."""
    import mlflow  # noqa: F401 — here, so that the children need not

    template.mkdir()
    shutil.copyfile(empty_database, template / "mlflow.db")
    fresh(alone, template)
    first = chain.evaluation(noise=0.62, skills=["view"])
    assert in_children(lambda: register(alone, first)) == [0]
    shutil.rmtree(template)
    shutil.copytree(tracking_of(alone).database.parent, template)
    second = chain.evaluation(seed=1, skills=["view"])
    for number in calls:
        fresh(alone, template)
        killed = killed_at_call(number, alone, second)
        assert aliases_in(alone)["champion"] in {"1", "2"}
        if not killed:
            return number
        assert in_children(lambda: register(alone, second)) == [0]
        assert aliases_in(alone) == {"champion": "2"}
    return number


WHOLE = {"versions": 2, "aliases": {"champion": "2"}, "runs": 8, "unfinished": 0}


def test_the_next_attempt_completes_one_killed_amid_the_runs_or_the_promotion(chain, alone, empty_database, tmp_path):
    kill_before((30, 53), chain, alone, empty_database, tmp_path / "template")
    assert look(alone) == WHOLE


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_any_call_leaves_a_valid_registry(chain, alone, empty_database, tmp_path):
    assert kill_before(count(1), chain, alone, empty_database, tmp_path / "template") > 50
    assert look(alone) == WHOLE


def test_two_lanes_may_begin_on_an_empty_store_at_the_same_moment(chain, fleet):
    import mlflow  # noqa: F401 — here, so that the children need not

    key = chain.evaluation()

    def lane(skill: str) -> Callable[[], None]:
        def work() -> None:
            assert register(fleet, key, [skill]).report.skills[skill].status == "champion"

        return work

    assert in_children(lane("view"), lane("light")) == [0, 0]
    names = {model.name for model in open_client(tracking_of(fleet)).search_registered_models()}
    assert names == {"showroom.view", "showroom.light"}


def test_the_same_lane_twice_at_once_registers_once(chain, alone):
    key = chain.evaluation(skills=["view"])
    lanes = [threading.Thread(target=register, args=(alone, key)) for _ in range(2)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    client = open_client(tracking_of(alone))
    assert len(client.search_model_versions("name = 'showroom.view'")) == 1
    experiment = client.get_experiment_by_name("showroom/view")
    assert len(client.search_runs([experiment.experiment_id])) == 4
