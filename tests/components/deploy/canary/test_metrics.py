"""Readings of pods' metrics, and what is concluded from them."""

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from coachworks.errors import DataError, InvalidConfigError
from components.deploy.canary.metrics import CanaryLimits, Counts, RequestCounter, compare_tracks, read_metrics

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)


def counts_of(seconds, errors=0, bounds=BOUNDS):
    """Counts of a pod with requests of these durations, in seconds."""
    return Counts(len(seconds), errors, {bound: sum(each <= bound for each in seconds) for bound in bounds})


our_layout = st.just(BOUNDS)
other_layouts = st.sets(st.sampled_from(BOUNDS[:-1])).map(lambda some: (*sorted(some), math.inf))


@st.composite
def readings(draw, bounds=our_layout):
    layout = draw(bounds)
    inside = draw(st.lists(st.integers(0, 50), min_size=len(layout), max_size=len(layout)))
    requests = draw(st.integers(0, 1000))
    return Counts(requests, draw(st.integers(0, requests)), dict(zip(layout, accumulate(inside), strict=True)))


other_layouts = st.sets(st.sampled_from(BOUNDS[:-1])).map(lambda some: (*sorted(some), math.inf))


@given(readings(), readings())
def test_what_was_added_can_be_taken_away_again(earlier, since):
    assert earlier + since - earlier == since


@given(readings(), readings())
def test_a_pod_whose_process_began_anew_counts_from_nothing(before, after):
    fell = after.requests < before.requests or any(after.buckets[b] < before.buckets[b] for b in BOUNDS)
    fell = fell or after.errors < before.errors
    assert (after - before == after) == fell or before == Counts(0, 0, dict.fromkeys(BOUNDS, 0))


@given(readings(other_layouts), readings(other_layouts), readings(other_layouts))
def test_pods_are_added_in_any_order_whatever_buckets_they_have(one, two, three):
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert Counts() + one == one
    total = one + two
    assert total.within(math.inf) == one.within(math.inf) + two.within(math.inf)
    assert list(total.buckets.values()) == sorted(total.buckets.values())


@given(st.lists(st.floats(0.0001, 30), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(seconds, q):
    true = float(np.quantile(seconds, q, method="inverted_cdf"))
    upper = next(bound for bound in BOUNDS if true <= bound)
    lower = max((bound for bound in BOUNDS if bound < upper), default=0.0)
    estimate = counts_of(seconds).quantile(q)
    assert estimate is not None
    assert lower <= estimate <= min(upper, BOUNDS[-2]) * (1 + 1e-9)


def test_a_quantile_is_interpolated_as_prometheus_does():
    counts = Counts(100, 0, {0.1: 50, 0.5: 90, 1.0: 100, math.inf: 100})
    assert counts.quantile(0.5) == pytest.approx(0.1)
    assert counts.quantile(0.95) == pytest.approx(0.75)
    assert counts.quantile(0.7) == pytest.approx(0.1 + 0.4 * 20 / 40)
    assert Counts(10, 0, {0.1: 0, math.inf: 10}).quantile(0.95) == 0.1  # all lie above the largest bound
    assert Counts().quantile(0.95) is None
    assert Counts(0, 0, dict.fromkeys(BOUNDS, 0)).quantile(0.95) is None
    assert Counts(3, 0, {math.inf: 3}).quantile(0.95) is None


def exposition(requests, seconds=(), labels=("path", "method", "status", "skill")):
    registry = CollectorRegistry()
    counter = Counter("coachworks_requests", "Requests.", labels, registry=registry)
    histogram = Histogram(
        "coachworks_request_seconds", "Time.", [n for n in labels if n in {"path", "skill"}], registry=registry
    )
    for count, values in requests:
        counter.labels(*values[: len(labels)]).inc(count)
    for each, values in seconds:
        histogram.labels(*values[: len(labels) - 2]).observe(each)
    return generate_latest(registry).decode()


def test_a_pod_s_metrics_are_read_over_the_ports_of_all_skills():
    text = exposition(
        [
            (5, ("/v1/predict", "POST", "200", "")),
            (3, ("/v1/predict", "POST", "200", "view")),
            (2, ("/v1/predict", "POST", "503", "view")),
            (1, ("/v1/predict", "POST", "500", "")),
            (4, ("/v1/predict", "POST", "422", "")),
            (70, ("/v1/skills", "GET", "200", "")),
            (9, ("other", "GET", "404", "")),
        ],
        [(0.02, ("/v1/predict", "")), (0.3, ("/v1/predict", "view")), (9.0, ("/v1/skills", ""))],
    )
    counts = read_metrics(text)
    assert (counts.requests, counts.errors) == (15, 3)
    assert counts.within(0.025) == 1
    assert counts.within(math.inf) == 2


def test_metrics_without_the_label_of_the_skill_are_read_too():
    counts = read_metrics(exposition([(7, ("/v1/predict", "POST", "200"))], labels=("path", "method", "status")))
    assert counts.requests == 7


def test_a_pod_that_nobody_has_asked_yet_counts_nothing():
    assert read_metrics(exposition([])) == Counts()


@pytest.mark.parametrize("text", ["", "up 1\n", "<html>not found</html>", "coachworks_requests_total{ 3\n"])
def test_what_is_not_our_service_s_is_refused(text):
    with pytest.raises(DataError, match=r"/metrics of a pod must be Prometheus' text with coachworks_requests_total"):
        read_metrics(text)


def test_a_meter_counts_from_the_first_reading_of_each_pod():
    meter = RequestCounter()
    meter.add_reading("a", counts_of([0.1] * 10))
    meter.add_reading("b", counts_of([0.1] * 100, errors=4))
    assert meter.total == Counts()
    meter.add_reading("a", counts_of([0.1] * 12, errors=1))
    meter.add_reading("b", counts_of([0.1] * 103, errors=5))
    assert (meter.total.requests, meter.total.errors) == (5, 2)
    meter.add_reading("a", counts_of([0.1] * 3))  # its process died and began anew
    assert (meter.total.requests, meter.total.errors) == (8, 2)
    meter.add_reading("a", counts_of([0.1] * 4))  # b is gone: what it counted stays
    assert meter.total.requests == 9
    assert meter.total.within(0.1) == 9


RULES = CanaryLimits(max_error_rate=0.01, max_latency_ratio=1.5)
FAST = [0.2] * 200


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        (counts_of(FAST), counts_of(FAST)),
        (counts_of(FAST, errors=1), counts_of(FAST)),  # one error is an accident
        (counts_of([0.2] * 10, errors=1), counts_of(FAST)),
        (counts_of(FAST, errors=2), counts_of(FAST)),  # exactly what is tolerated
        (counts_of(FAST, errors=20), counts_of(FAST, errors=20)),  # something else is wrong
        (counts_of([0.2] * 19 + [9]), counts_of([0.2] * 19)),  # too few to compare
        (counts_of([9.0] * 10), counts_of(FAST)),
        (counts_of([0.04] * 100), counts_of([0.004] * 100)),  # slower, and nobody feels it
        (Counts(), counts_of(FAST)),
        (counts_of(FAST), Counts()),
        (Counts(), Counts()),
    ],
)
def test_a_canary_that_is_no_worse_passes(canary, stable):
    verdict = compare_tracks(canary, stable, RULES)
    assert verdict.ok
    assert f"the canary answered {canary.requests} requests, {canary.errors} of them" in verdict.reason
    assert [row.track for row in verdict.rows] == ["stable", "canary"]


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        (counts_of(FAST, errors=3), counts_of(FAST)),
        (counts_of([0.2] * 4, errors=2), counts_of(FAST)),
        (counts_of(FAST, errors=200), counts_of(FAST, errors=100)),
        (counts_of(FAST, errors=3), Counts()),
    ],
)
def test_a_canary_that_fails_more_requests_does_not(canary, stable):
    verdict = compare_tracks(canary, stable, RULES)
    assert not verdict.ok
    assert verdict.reason.startswith(f"the canary failed {canary.errors} of {canary.requests} requests (")
    assert f"the stable version {stable.errors} of {stable.requests}" in verdict.reason
    assert "the limit is 1.0%" in verdict.reason


def test_a_canary_that_is_slower_does_not_pass():
    verdict = compare_tracks(counts_of([0.2] * 90 + [4.0] * 30), counts_of(FAST), RULES)
    assert not verdict.ok
    assert "the canary is slow: 95 % of its 120 requests took up to" in verdict.reason
    assert "the limit is 1.5 times that" in verdict.reason
    stable, canary = verdict.rows
    assert (stable.requests, canary.requests, canary.errors) == (200, 120, 0)
    assert 0.1 < stable.p50_s <= 0.25
    assert 2.5 < canary.p95_s <= 5


def test_a_larger_ratio_tolerates_more():
    assert compare_tracks(counts_of([0.4] * 50), counts_of([0.2] * 50), CanaryLimits(max_latency_ratio=3)).ok
    assert not compare_tracks(counts_of([0.4] * 50), counts_of([0.2] * 50), CanaryLimits(max_latency_ratio=1.5)).ok


@pytest.mark.parametrize("rules", [{"max_error_rate": 1.2}, {"max_error_rate": -0.1}, {"max_latency_ratio": 0.5}])
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(InvalidConfigError, match=f"{next(iter(rules))} must be"):
        CanaryLimits(**rules)
    with pytest.raises(InvalidConfigError, match="max_latency_ratio must be at least 1; got nan"):
        CanaryLimits(max_latency_ratio=math.nan)
