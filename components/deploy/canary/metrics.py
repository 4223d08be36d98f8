"""Metrics of the soak: requests, errors and latency of canary and stable pods, and their comparison."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from coachworks.errors import DataError, InvalidConfigError
from components.deploy.report import TrackRow

STABLE, CANARY = "stable", "canary"
PREDICT = "/v1/predict"  # only this path is counted; probes and metrics are not
_REQUESTS, _SECONDS = "coachworks_requests", "coachworks_request_seconds"
_MIN_ERRORS = 2  # a single error may be an accident
_MIN_REQUESTS = 20  # of fewer, the 95th percentile is the slowest request
_MIN_DIFFERENCE_S = 0.05  # a smaller difference is not noticed, whatever the ratio


@dataclass(frozen=True)
class Counts:
    """Requests to `/v1/predict` that one or several pods answered.

    Attributes:
        requests: Requests answered.
        errors: Requests answered with a server error (5xx).
        buckets: Cumulative histogram: number of requests by upper bound in seconds; the last bound is infinite.
    """

    requests: int = 0
    errors: int = 0
    buckets: Mapping[float, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.requests + other.requests,
            self.errors + other.errors,
            {bound: self.within(bound) + other.within(bound) for bound in sorted({*self.buckets, *other.buckets})},
        )

    def __sub__(self, earlier: "Counts") -> "Counts":
        """Return the counts since an `earlier` reading of the same pod; all of them where it was restarted since."""
        bounds = sorted({*self.buckets, *earlier.buckets})
        since = Counts(
            self.requests - earlier.requests,
            self.errors - earlier.errors,
            {bound: self.within(bound) - earlier.within(bound) for bound in bounds},
        )
        restarted = min(since.requests, since.errors, *since.buckets.values(), 0) < 0
        return self if restarted else since

    def within(self, seconds: float) -> int:
        """Return the number of requests within the largest bound that is at most `seconds`."""
        bounds = [bound for bound in self.buckets if bound <= seconds]
        return self.buckets[max(bounds)] if bounds else 0

    @property
    def error_share(self) -> float:
        """Share of the requests that were answered with a server error; 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0

    def quantile(self, q: float) -> float | None:
        """Return the `q`-quantile of the request times, in seconds, like Prometheus' `histogram_quantile`.

        Args:
            q: The quantile, in (0, 1].

        Returns:
            None without requests or without a finite bound; the largest finite bound where the quantile lies above it.
        """
        bounds = sorted(self.buckets)
        if not bounds or math.isinf(bounds[0]) or not self.buckets[bounds[-1]]:
            return None
        rank = q * self.buckets[bounds[-1]]
        lower, below = 0.0, 0
        for bound in bounds:
            if (inside := self.buckets[bound]) >= rank:
                return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (inside - below)
            lower, below = bound, inside
        return lower


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLimits:
    """Limits of a canary's errors and latency.

    Attributes:
        max_error_rate: Largest share of requests answered with a server error, in [0, 1].
        max_latency_ratio: Largest ratio of its 95th percentile to that of the stable version; at least 1.
    """

    max_error_rate: float = 0.01
    max_latency_ratio: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_error_rate <= 1:
            raise InvalidConfigError(f"max_error_rate must be in [0, 1]; got {self.max_error_rate!r}")
        if not self.max_latency_ratio >= 1:
            raise InvalidConfigError(f"max_latency_ratio must be at least 1; got {self.max_latency_ratio!r}")


@dataclass(frozen=True)
class SoakResult:
    """Result of a soak.

    Attributes:
        ok: Whether the canary may be promoted.
        reason: The comparison in words.
        rows: Both tracks, the stable one first.
    """

    ok: bool
    reason: str
    rows: tuple[TrackRow, ...]


class RequestCounter:
    """Requests of pods since the first reading of each; those of a pod that is gone are kept."""

    def __init__(self) -> None:
        self._latest: dict[str, Counts] = {}
        self._total = Counts()

    def add_reading(self, pod: str, counts: Counts) -> None:
        """Add a reading of a pod; its first one is the zero point."""
        if pod in self._latest:
            self._total += counts - self._latest[pod]
        self._latest[pod] = counts

    @property
    def total(self) -> Counts:
        """Requests of all pods since their first readings."""
        return self._total


def read_metrics(text: str) -> Counts:
    """Read the counts of a pod since its start from the text of its `/metrics`.

    Raises:
        DataError: the text is not that of a serving pod.
    """
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = {family.name: family for family in text_string_to_metric_families(text)}
        requests, seconds = families[_REQUESTS], families[_SECONDS]
    except (ValueError, KeyError) as err:
        raise DataError(
            f"/metrics of a pod must be Prometheus' text with {_REQUESTS}_total and {_SECONDS}; cannot read it: "
            f"{err}. Is the image one of `coachworks images`?"
        ) from err
    total = errors = 0
    for sample in requests.samples:
        if sample.name == f"{_REQUESTS}_total" and sample.labels.get("path") == PREDICT:
            total += int(sample.value)
            errors += int(sample.value) if sample.labels.get("status", "").startswith("5") else 0
    buckets: dict[float, int] = {}
    for sample in seconds.samples:
        if sample.name == f"{_SECONDS}_bucket" and sample.labels.get("path") == PREDICT:
            bound = float(sample.labels["le"])
            buckets[bound] = buckets.get(bound, 0) + int(sample.value)  # one series per skill's port
    return Counts(total, errors, dict(sorted(buckets.items())))


def compare_tracks(canary: Counts, stable: Counts, limits: CanaryLimits) -> SoakResult:
    """Compare the canary with the stable version, which had the same traffic."""
    fault = _too_many_errors(canary, stable, limits) or _too_slow(canary, stable, limits)
    return SoakResult(
        ok=not fault,
        reason=fault or _summary(canary, stable),
        rows=(_track_row(STABLE, stable), _track_row(CANARY, canary)),
    )


def _too_many_errors(canary: Counts, stable: Counts, limits: CanaryLimits) -> str:
    share = canary.error_share
    if canary.errors < _MIN_ERRORS or share <= limits.max_error_rate or share <= stable.error_share:
        return ""
    return (
        f"the canary failed {canary.errors} of {canary.requests} requests ({share:.1%}), the stable version "
        f"{stable.errors} of {stable.requests} ({stable.error_share:.1%}); the limit is {limits.max_error_rate:.1%}"
    )


def _too_slow(canary: Counts, stable: Counts, limits: CanaryLimits) -> str:
    slow, usual = canary.quantile(0.95), stable.quantile(0.95)
    if not _comparable(canary, stable) or slow is None or usual is None:
        return ""
    if slow <= limits.max_latency_ratio * usual or slow - usual <= _MIN_DIFFERENCE_S:
        return ""
    return (
        f"the canary is slow: 95 % of its {canary.requests} requests took up to {slow:.2f} s, of the stable version's "
        f"{stable.requests} up to {usual:.2f} s; the limit is {limits.max_latency_ratio:g} times that"
    )


def _comparable(canary: Counts, stable: Counts) -> bool:
    return min(_timed(canary), _timed(stable)) >= _MIN_REQUESTS


def _timed(counts: Counts) -> int:
    return counts.within(math.inf)


def _summary(canary: Counts, stable: Counts) -> str:
    summary = f"the canary answered {canary.requests} requests, {canary.errors} of them with a server error"
    slow, usual = canary.quantile(0.95), stable.quantile(0.95)
    if not _comparable(canary, stable) or slow is None or usual is None:
        return f"{summary}; too few of each version to compare their times"
    return f"{summary}; 95 % took up to {slow:.2f} s, of the stable version's up to {usual:.2f} s"


def _track_row(track: str, counts: Counts) -> TrackRow:
    return TrackRow(track, counts.requests, counts.errors, counts.quantile(0.5), counts.quantile(0.95))
