"""The platform chart after a wrong image: the corrected command alone leads to a platform that works."""

from collections.abc import Callable, Iterator

import pytest
from mlflow_release import RELEASE, MlflowRelease

from lab import Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def release(lab: Lab, session_name: str, image: Callable[[str], str]) -> Iterator[MlflowRelease]:
    """A namespace without a release."""
    empty = MlflowRelease(lab, f"{session_name}-recovery", image("platform"))
    empty.make_namespace()
    try:
        yield empty
    finally:
        empty.remove()


def install_missing_image(release: MlflowRelease) -> None:
    """Install or upgrade with an image that no node can pull, until Helm gives up."""
    with pytest.raises(AssertionError, match=r"(?i)not ready|timed? ?out|deadline"):
        release.upgrade("image.tag=missing", flags=("--wait", "--timeout=10s"))

    def waiting() -> bool:
        pod = release.lab.get("-n", release.namespace, "pod", f"{RELEASE}-postgresql-0")
        states = [each["state"] for each in pod["status"].get("containerStatuses", ())]
        return any("ImagePull" in state.get("waiting", {}).get("reason", "") for state in states)

    until("PostgreSQL's pod waits for an image", waiting, within_s=60)


def test_the_corrected_command_alone_recovers_from_a_wrong_image(release: MlflowRelease) -> None:
    with pytest.raises(AssertionError, match=r"image\.tag must be set"):
        release.upgrade("image.tag=")
    install_missing_image(release)

    release.upgrade()

    body = {"name": "showroom"}
    assert release.ask("POST", "mlflow/experiments/create", body, release.credentials)[0] == 200
    claim = release.lab.get("-n", release.namespace, "pvc", f"data-{RELEASE}-postgresql-0")["metadata"]["uid"]

    install_missing_image(release)
    release.upgrade()

    path = "mlflow/experiments/get-by-name?experiment_name=showroom"
    assert release.ask("GET", path, credentials=release.credentials)[0] == 200
    assert release.lab.get("-n", release.namespace, "pvc", f"data-{RELEASE}-postgresql-0")["metadata"]["uid"] == claim
