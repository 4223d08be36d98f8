"""A deployed fleet is changed by hand, and scaled up while its pods cannot start: `deploy` notices and says so."""

import base64
import json
from typing import Any

import pytest
from load import Load
from serving_fleet import PODS, ServingFleet

from lab import S3_SECRET, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
THREADS = "COACHWORKS_SERVING_THREADS"


def environment(served: ServingFleet) -> dict[str, str]:
    """Return the variables of the container that answers, from the Deployment."""
    (deployment,) = served.get("deployments")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_what_was_changed_by_hand_is_shown_and_taken_back_and_nobody_notices(served: ServingFleet, load: Load) -> None:
    before, target = environment(served), f"deployment/{served.name}-shared"
    where = ("-n", served.name)
    served.lab.kubectl(*where, "set", "env", target, "-c", "answers", f"{THREADS}=4", "HANDMADE=yes")
    served.lab.kubectl(*where, "rollout", "status", target, "--timeout=120s")
    plan = served.coachworks("deploy", "--plan", "--json")
    assert plan.returncode == 0, plan.stderr
    drift = json.loads(plan.stdout)["drift"]
    shown = {each["field"].rpartition(".env")[2]: (each["live"], each["released"], each["manager"]) for each in drift}
    assert shown == {
        f"[{THREADS}].value": ('"4"', f'"{before[THREADS]}"', "kubectl-set"),
        "[HANDMADE].value": ('"yes"', None, "kubectl-set"),
    }
    with load.counted("changes by hand are taken back") as counted:
        done = served.deploy()
    counted.note = done.stages
    assert [stage["name"] for stage in done.report["stages"]] == ["replace"]
    assert len(done.report["mended"]) == 2
    assert environment(served) == before
    assert not counted.failures
    assert "changes by hand are taken back" in served.history()[-1]["description"]
    assert served.deploy().report["status"] == "unchanged"


def scaling(fewest: int) -> dict[str, Any]:
    """Values of shared pods whose number an autoscaler chooses, whatever the load."""
    bounds = {"minReplicas": fewest, "maxReplicas": 2, "cpuUtilization": 1000, "scaleDownSeconds": 5}
    return {"autoscaling": {"enabled": True, **bounds}}


def set_key(served: ServingFleet, key: str) -> None:
    """Write the store's key in the Secret of the pods."""
    data = {"data": {"AWS_SECRET_ACCESS_KEY": base64.b64encode(key.encode()).decode()}}
    served.lab.kubectl("-n", served.name, "patch", "secret", served.name, "-p", json.dumps(data))


def test_a_pod_that_the_autoscaler_must_add_and_that_cannot_start_fails_the_deployment(
    served: ServingFleet, load: Load
) -> None:
    served.tell(shared=scaling(1))
    served.deploy()
    until("one pod", lambda: len(served.get("pods")) == 1, within_s=120)
    set_key(served, "wrong")
    try:
        served.tell(shared=scaling(2))
        with load.counted("1 to 2 pods with a wrong key of the store") as counted:
            message = " ".join(served.deploy(expect=1).output.split())
        assert f"{served.name}-shared does not get ready: pod {served.name}-shared-" in message
        assert "The earlier versions serve again: image-content v1, image-quality v1" in message
        (scaler,) = served.get("hpa")
        assert scaler["spec"]["minReplicas"] == 1
        assert served.get("deployments")[0]["spec"]["replicas"] == 1
        assert not counted.failures
    finally:
        set_key(served, S3_SECRET)
    assert served.deploy().report["status"] == "deployed"
    assert len(served.pods()) == 2, "a deployment is done when its pods are ready"
    served.tell()
    served.deploy()
    assert len(served.pods()) == PODS
