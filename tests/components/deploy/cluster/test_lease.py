"""Lock on a release: a Lease that is renewed, deleted on unlock, and taken over after its holder is gone."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from coachworks.errors import InvalidConfigError, TransientError
from components.deploy.cluster.lease import BusyError, LostError, hold_lease
from components.deploy.cluster.namespace import Cluster

LEASES = "/apis/coordination.k8s.io/v1/namespaces/models/leases"
PATH = f"{LEASES}/coachworks-cars"


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


def until(condition, within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_lease_exists_while_it_is_held(cluster, api_server):
    with hold_lease(cluster, "ann@laptop") as lock:
        spec = api_server[PATH]["spec"]
        assert spec["holderIdentity"].startswith("ann@laptop_")
        assert spec["leaseDurationSeconds"] == 30
        assert not lock.lost
        lock.check()
    assert PATH not in api_server


def test_another_deployer_is_refused_with_holder_and_time(cluster):
    with hold_lease(cluster, "ann@laptop"), pytest.raises(BusyError) as caught, hold_lease(cluster, "bob@desk"):
        pytest.fail("held twice")
    message = str(caught.value)
    assert "'cars' is being changed by ann@laptop since 20" in message
    assert "if it was killed, its lease coachworks-cars expires in" in message


def test_the_same_name_in_another_process_is_another_holder(cluster):
    with hold_lease(cluster, "ann@laptop"), pytest.raises(BusyError), hold_lease(cluster, "ann@laptop"):
        pytest.fail("held twice")


def test_other_releases_have_their_own_lease(cluster, api_server):
    boats = Cluster(cluster.connection, cluster.namespace, "boats")
    with hold_lease(cluster, "ann"), hold_lease(boats, "bob"):
        assert f"{LEASES}/coachworks-boats" in api_server


def test_the_lease_is_renewed(cluster, api_server):
    with hold_lease(cluster, "ann", duration_s=0.6) as lock:
        first = api_server[PATH]["spec"]
        until(lambda: api_server[PATH]["spec"]["renewTime"] != first["renewTime"])
        time.sleep(1)
        assert not lock.lost
        assert api_server[PATH]["spec"]["acquireTime"] == first["acquireTime"]


def test_an_expired_lease_is_taken_over(cluster, api_server):
    put_lease(api_server, holder="killed_1", renewed_s_ago=34)
    with hold_lease(cluster, "ann"):
        spec = api_server[PATH]["spec"]
        assert spec["holderIdentity"].startswith("ann_")
        assert spec["leaseTransitions"] == 5


def test_a_lease_about_to_expire_is_not_taken_over(cluster, api_server):
    put_lease(api_server, holder="killed_1", renewed_s_ago=28)
    with pytest.raises(BusyError, match="is being changed by killed since"), hold_lease(cluster, "ann"):
        pytest.fail("taken too early")


def test_expiry_is_measured_by_the_server_s_clock(cluster, api_server, monkeypatch):
    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr("coachworks.kubernetes_api.connection.datetime", Ahead)
    put_lease(api_server, holder="bob_1", renewed_s_ago=1)
    with pytest.raises(BusyError), hold_lease(cluster, "ann"):
        pytest.fail("a local clock that is an hour ahead ended the lease")


def test_a_lease_without_a_holder_is_free(cluster, api_server):
    put_lease(api_server, holder="", renewed_s_ago=0)
    with hold_lease(cluster, "ann"):
        assert api_server[PATH]["spec"]["holderIdentity"].startswith("ann_")


def test_a_short_outage_of_the_server_loses_nothing(cluster, api_server):
    with hold_lease(cluster, "ann", duration_s=3) as lock:
        api_server.down = True
        time.sleep(1.5)
        api_server.down = False
        lock.check()
        assert not lock.lost


def test_a_long_outage_of_the_server_loses_the_lease(cluster, api_server):
    with hold_lease(cluster, "ann", duration_s=0.6) as lock:
        api_server.down = True
        until(lambda: lock.lost)
        with pytest.raises(LostError, match=r"another deployer may be at work. Nothing more was changed"):
            lock.check()
        api_server.down = False
    assert PATH in api_server, "another deployer may hold it by now"


def test_a_server_that_answers_too_late_loses_the_lease(cluster, api_server):
    with hold_lease(cluster, "ann", duration_s=0.6) as lock:
        api_server.delay_s = 3
        until(lambda: lock.lost, within_s=1.5)
        api_server.delay_s = 0


def test_a_lease_that_was_taken_over_is_not_deleted(cluster, api_server):
    with hold_lease(cluster, "ann", duration_s=30) as lock:
        put_lease(api_server, holder="bob_1", renewed_s_ago=0)
        with pytest.raises(LostError):
            lock.check()
    assert api_server[PATH]["spec"]["holderIdentity"] == "bob_1"


def test_a_removed_lease_is_lost(cluster, api_server):
    with hold_lease(cluster, "ann") as lock:
        del api_server[PATH]
        with pytest.raises(LostError, match="or somebody removed it"):
            lock.check()


def test_changes_of_other_clients_are_kept(cluster, api_server):
    with hold_lease(cluster, "ann") as lock:
        lease = json.loads(json.dumps(api_server[PATH]))
        lease["metadata"] |= {"annotations": {"seen": "by bob"}, "resourceVersion": "another"}
        api_server[PATH] = lease
        lock.check()
        assert api_server[PATH]["metadata"]["annotations"] == {"seen": "by bob"}
    assert PATH not in api_server


def test_one_of_many_simultaneous_deployers_acquires_the_lease(cluster):
    got, refused, over = [], [], threading.Event()

    def deploy(number: int) -> None:
        try:
            with hold_lease(cluster, f"deployer-{number}"):
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


def test_a_missing_right_to_leases_is_named(cluster, api_server):
    refusal = (
        'leases.coordination.k8s.io "coachworks-cars" is forbidden: User "ann" cannot get resource "leases" in API '
    )
    api_server[PATH] = (403, f'{refusal}group "coordination.k8s.io" in the namespace "models"')
    with pytest.raises(InvalidConfigError) as caught, hold_lease(cluster, "ann"):
        pytest.fail("held")
    assert "does not let ann get leases.coordination.k8s.io in the namespace 'models'" in str(caught.value)
    assert "charts/platform with `rbac.create` and the namespace in `rbac.servingNamespaces`" in str(caught.value)


def test_a_server_that_is_down_at_the_beginning_is_a_transient_error(cluster, api_server):
    api_server.down = True
    with pytest.raises(TransientError, match="does not answer"), hold_lease(cluster, "ann"):
        pytest.fail("held")
