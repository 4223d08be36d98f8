"""A pod of 2 GiB beside crafted photos: it is not restarted, and other clients go on."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from crafted_photos import mix
from good_client import good_client, post, quiet
from load import Load
from serving_fleet import SHORT_S, ServingFleet

from lab import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
QUIET_S = 12


def only_pod(served: ServingFleet) -> dict[str, Any] | None:
    pods = served.get("pods")
    return pods[0] if len(pods) == 1 and served.pods() == [pods[0]["metadata"]["name"]] else None


def test_a_hundred_crafted_photos_neither_restart_a_pod_nor_stop_a_good_client(served: ServingFleet, load: Load):
    served.tell(serving={"replicas": 1, "cpu": "500m", "memory": "2Gi"}, soak_s=SHORT_S)
    served.deploy()
    pod = until("one pod", lambda: only_pod(served), within_s=60)
    name, send = pod["metadata"]["name"], partial(post, pod["status"]["podIP"], 3000)
    photo = served.photo.read_bytes()
    with ThreadPoolExecutor(8) as threads:  # the backbone keeps memory for its largest batch
        assert {status for status, _ in threads.map(send, [photo] * 80)} == {200}
    before = quiet(send, photo, QUIET_S)
    with load.counted("a pod of 2 GiB gets 100 crafted photos, four at once") as counted:
        with good_client(send, photo) as beside, ThreadPoolExecutor(4) as threads:
            crafted = Counter(status for status, _ in threads.map(lambda file: send(file[1]), mix(100, seed=17)))
        time.sleep(1)
    counted.note = (
        f"crafted {dict(sorted(crafted.items()))}; good client {dict(beside.statuses)}, p50 {before.p50_ms:.0f} → "
        f"{beside.p50_ms:.0f} ms, p99 {before.p99_ms:.0f} → {beside.p99_ms:.0f} ms"
    )
    print(counted.note)
    after = until("the same pod, ready", lambda: only_pod(served), within_s=10)
    assert after["metadata"]["name"] == name
    assert [container["restartCount"] for container in after["status"]["containerStatuses"]] == [0]
    assert set(beside.statuses) <= {200, 503}
    assert beside.without_retry_after == 0
    assert beside.statuses[200] >= 0.9 * sum(beside.statuses.values())
    assert not {status for status in crafted if status >= 500} - {503}
    assert not [line for line in counted.failures if "503" not in str(line["error"])]
    assert beside.p99_ms < 10 * before.p99_ms  # the whole cluster shares the cores
    served.tell(soak_s=SHORT_S)
    served.deploy()
