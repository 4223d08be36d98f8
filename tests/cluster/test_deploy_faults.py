"""Faulty new versions: they are detected, the earlier version keeps answering, and few or no requests fail."""

import pytest
from load import Counted, Load
from serving_fleet import PODS, ServingFleet

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
CANARY_PODS = 1
TOUCHED = CANARY_PODS / (PODS + CANARY_PODS)  # the share of pods, and so of connections, that is the canary's
CHANCE = 0.2  # of so few requests, that many more may meet the canary by accident


def refused(served: ServingFleet, load: Load, name: str, *arguments: str) -> tuple[Counted, str]:
    """Deploy a faulty version, check that the earlier one is back; return the requests meanwhile and the message."""
    with load.counted(name) as counted:
        done = served.deploy(*arguments, expect=1)
    served.tell()
    assert "The earlier versions serve again: image-content v1, image-quality v1" in " ".join(done.output.split())
    assert [each["metadata"]["name"] for each in served.get("deployments")] == [f"{served.name}-shared"]
    assert not served.pods(track="canary")
    assert len(served.pods()) == PODS
    assert {version for counts in counted.by_version.values() for version in counts} == {"1"}
    return counted, done.output


def touched_at_most_its_share(counted: Counted, touched: list[dict[str, float]]) -> None:
    """Check that of the requests between the first and the last spoilt one no more than the canary's share were."""
    assert touched
    first, last = min(line["at"] for line in touched), max(line["at"] for line in touched)
    asked = counted.between(first, last) + 1
    counted.note = f"{len(touched)} of {asked} touched while the canary had traffic"
    assert len(touched) <= max(3.0, asked * (TOUCHED + CHANCE)), counted.note


def test_an_image_that_is_not_there(served: ServingFleet, load: Load) -> None:
    served.tell(image="coachworks/serving:not-there")
    counted, message = refused(served, load, "an image that is not there")
    assert "Push the image where the nodes can pull it" in message
    assert not counted.failures


def test_an_image_whose_process_ends_as_it_starts(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="crash")
    counted, message = refused(served, load, "an image whose process ends at once")
    assert "this pod ends as it starts" in message
    assert not counted.failures


def test_a_canary_that_never_gets_ready(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="never-ready")
    counted, message = refused(served, load, "a canary that never gets ready", "--timeout-s", "25")
    assert "pods are available after 25 s" in message
    assert not counted.failures


@pytest.mark.core
def test_a_model_that_fails_its_smoke_test(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="wrong")
    counted, message = refused(served, load, "a model that fails its smoke test")
    assert "failed the smoke test" in message
    assert "must get" in message
    assert not counted.failures


def test_a_canary_that_begins_to_answer_with_errors(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="late-error")
    counted, message = refused(served, load, "a canary that begins to answer with 500")
    assert "500" in message or "server error" in message
    assert {line.get("status") for line in counted.failures} <= {500}  # nothing but what the canary itself did
    touched_at_most_its_share(counted, counted.failures)


def test_a_canary_that_begins_to_answer_wrongly(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="late-wrong")
    counted, message = refused(served, load, "a canary that begins to answer wrongly")
    assert "must get" in message
    assert not counted.failures
    touched_at_most_its_share(counted, counted.labelled_otherwise(load.usual()))


def test_a_canary_that_becomes_slow(served: ServingFleet, load: Load, faulty: str) -> None:
    served.tell(image=faulty, fault="late-slow")
    counted, message = refused(served, load, "a canary that becomes slow")
    assert "the canary is slow" in message
    assert not counted.failures
    touched_at_most_its_share(counted, counted.slower_than(1.5))
