"""One deployer at a time: a Lease that is renewed, given back, and taken over when its holder is gone."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from coachworks.errors import InvalidConfigError, TransientError
from components.deploy.cluster.lease import BusyError, LostError, hold

LEASES = "/apis/coordination.k8s.io/v1/namespaces/models/leases"
PATH = f"{LEASES}/coachworks-cars"


class Notes:
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def put_lease(api_server, *, holder: str, renewed_s_ago: float, duration_s: int = 30) -> None:
    renewed = datetime.now(UTC) - timedelta(seconds=renewed_s_ago)
    stamp = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    api_server[PATH] = {
        "metadata": {"name": "coachworks-cars", "uid": "u", "resourceVersion": "1"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration_s,
            "acquireTime": stamp,
            "renewTime": stamp,
            "leaseTransitions": 4,
        },
    }


def until(ask, within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_is_there_while_it_is_held_and_gone_afterwards(cluster, api_server):
    with hold(cluster, "cars", "ann@laptop") as held:
        spec = api_server[PATH]["spec"]
        assert spec["holderIdentity"].startswith("ann@laptop_")
        assert spec["leaseDurationSeconds"] == 30
        assert not held.lost
        held.check()
    assert PATH not in api_server


def test_somebody_else_is_told_who_and_since_when(cluster):
    with hold(cluster, "cars", "ann@laptop"), pytest.raises(BusyError) as caught, hold(cluster, "cars", "bob@desk"):
        pytest.fail("held twice")
    message = str(caught.value)
    assert "'cars' is being changed by ann@laptop since 20" in message
    assert "if it was killed, its lease coachworks-cars runs out in" in message
    assert caught.value.holder == "ann@laptop"
    assert caught.value.since is not None


def test_the_same_name_in_another_process_is_somebody_else(cluster):
    with hold(cluster, "cars", "ann@laptop"), pytest.raises(BusyError), hold(cluster, "cars", "ann@laptop"):
        pytest.fail("held twice")


def test_other_releases_are_not_kept_away(cluster, api_server):
    with hold(cluster, "cars", "ann"), hold(cluster, "boats", "bob"):
        assert f"{LEASES}/coachworks-boats" in api_server


def test_it_is_renewed(cluster, api_server):
    with hold(cluster, "cars", "ann", duration_s=0.6) as held:
        first = api_server[PATH]["spec"]
        until(lambda: api_server[PATH]["spec"]["renewTime"] != first["renewTime"])
        time.sleep(1)
        assert not held.lost
        assert api_server[PATH]["spec"]["acquireTime"] == first["acquireTime"]


def test_what_has_run_out_is_taken_over(cluster, api_server):
    put_lease(api_server, holder="killed_1", renewed_s_ago=34)
    with hold(cluster, "cars", "ann"):
        spec = api_server[PATH]["spec"]
        assert spec["holderIdentity"].startswith("ann_")
        assert spec["leaseTransitions"] == 5


def test_what_has_not_quite_run_out_is_not(cluster, api_server):
    put_lease(api_server, holder="killed_1", renewed_s_ago=28)
    with pytest.raises(BusyError, match="is being changed by killed since"), hold(cluster, "cars", "ann"):
        pytest.fail("taken too early")


def test_the_server_s_clock_counts_not_ours(cluster, api_server, monkeypatch):
    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr("coachworks.kubernetes_api.connection.datetime", Ahead)
    put_lease(api_server, holder="bob_1", renewed_s_ago=1)
    with pytest.raises(BusyError), hold(cluster, "cars", "ann"):
        pytest.fail("a clock that is an hour ahead ended a lease")


def test_what_its_holder_gave_back_is_free(cluster, api_server):
    put_lease(api_server, holder="", renewed_s_ago=0)
    with hold(cluster, "cars", "ann"):
        assert api_server[PATH]["spec"]["holderIdentity"].startswith("ann_")


def test_it_is_waited_for_and_said_so_once(cluster, api_server):
    put_lease(api_server, holder="bob_1", renewed_s_ago=31)
    notes = Notes()
    with hold(cluster, "cars", "ann", wait_s=10, progress=notes):
        assert api_server[PATH]["spec"]["holderIdentity"].startswith("ann_")
    (told,) = notes.notes
    assert told.startswith("waiting up to 10 s: the release 'cars' is being changed by bob")


def test_a_short_absence_of_the_server_loses_nothing(cluster, api_server):
    with hold(cluster, "cars", "ann", duration_s=3) as held:
        api_server.down = True
        time.sleep(1.5)
        api_server.down = False
        held.check()
        assert not held.lost


def test_a_server_that_is_away_for_too_long_loses_it(cluster, api_server):
    with hold(cluster, "cars", "ann", duration_s=0.6) as held:
        api_server.down = True
        until(lambda: held.lost)
        with pytest.raises(LostError, match=r"another deployer may be at work. Nothing more was changed"):
            held.check()
        api_server.down = False
    assert PATH in api_server, "what is lost is not ours to remove"


def test_a_server_that_does_not_answer_loses_it_too(cluster, api_server):
    with hold(cluster, "cars", "ann", duration_s=0.6) as held:
        api_server.delay_s = 3
        until(lambda: held.lost, within_s=1.5)
        api_server.delay_s = 0


def test_whoever_took_it_over_keeps_it(cluster, api_server):
    with hold(cluster, "cars", "ann", duration_s=30) as held:
        put_lease(api_server, holder="bob_1", renewed_s_ago=0)
        with pytest.raises(LostError):
            held.check()
    assert api_server[PATH]["spec"]["holderIdentity"] == "bob_1"


def test_a_lease_that_somebody_removed_is_lost(cluster, api_server):
    with hold(cluster, "cars", "ann") as held:
        del api_server[PATH]
        with pytest.raises(LostError, match="or somebody removed it"):
            held.check()


def test_a_note_on_the_lease_does_no_harm(cluster, api_server):
    with hold(cluster, "cars", "ann") as held:
        lease = json.loads(json.dumps(api_server[PATH]))
        lease["metadata"] |= {"annotations": {"seen": "by bob"}, "resourceVersion": "another"}
        api_server[PATH] = lease
        held.check()
        assert api_server[PATH]["metadata"]["annotations"] == {"seen": "by bob"}
    assert PATH not in api_server


def test_of_many_at_once_one_gets_it(cluster):
    got, refused, over = [], [], threading.Event()

    def deploy(number: int) -> None:
        try:
            with hold(cluster, "cars", f"deployer-{number}"):
                got.append(number)
                over.wait(5)
        except BusyError:
            refused.append(number)

    threads = [threading.Thread(target=deploy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(refused) == 7)
    over.set()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_who_may_make_no_leases_is_told_what_to_ask_for(cluster, api_server):
    said = 'leases.coordination.k8s.io "coachworks-cars" is forbidden: User "ann" cannot get resource "leases" in API '
    api_server[PATH] = (403, f'{said}group "coordination.k8s.io" in the namespace "models"')
    with pytest.raises(InvalidConfigError) as caught, hold(cluster, "cars", "ann"):
        pytest.fail("held")
    assert "does not let ann get leases.coordination.k8s.io in the namespace 'models'" in str(caught.value)
    assert "charts/platform with `rbac.create` and the namespace in `rbac.servingNamespaces`" in str(caught.value)


def test_a_server_that_is_away_at_the_beginning_is_said_to_be(cluster, api_server):
    api_server.down = True
    with pytest.raises(TransientError, match="does not answer"), hold(cluster, "cars", "ann"):
        pytest.fail("held")
