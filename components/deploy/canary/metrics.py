"""Baking: the canary under traffic beside the stable version, judged by what the pods themselves counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from coachworks.errors import DataError, InvalidConfigError

STABLE, CANARY = "stable", "canary"
PREDICT = "/v1/predict"  # what clients ask; all else is asked by people and machines that look after the service
_REQUESTS, _SECONDS = "coachworks_requests", "coachworks_request_seconds"
_FEWEST_ERRORS = 2  # one may be an accident
_FEWEST_REQUESTS = 20  # of fewer, the 95th percentile is the slowest one
_FELT_S = 0.05  # whatever the ratio: nobody notices less


@dataclass(frozen=True)
class Counts:
    """What a pod, or several, answered under `/v1/predict`.

    Attributes:
        requests: Requests answered.
        errors: Those answered with a server error (5xx).
        buckets: Requests that took at most so many seconds, by that bound; the last bound is infinite.
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
        """What came since an `earlier` reading of the same pod; everything, where its process began anew since."""
        bounds = sorted({*self.buckets, *earlier.buckets})
        since = Counts(
            self.requests - earlier.requests,
            self.errors - earlier.errors,
            {bound: self.within(bound) - earlier.within(bound) for bound in bounds},
        )
        began_anew = min(since.requests, since.errors, *since.buckets.values(), 0) < 0
        return self if began_anew else since

    def within(self, seconds: float) -> int:
        """Requests that surely took at most `seconds`: those within the largest bound that is not above."""
        return self.buckets[max(fits)] if (fits := [bound for bound in self.buckets if bound <= seconds]) else 0

    @property
    def error_share(self) -> float:
        """Share of the requests that were answered with a server error; 0 where there were none."""
        return self.errors / self.requests if self.requests else 0.0

    def quantile(self, q: float) -> float | None:
        """Seconds that a share `q` of the requests took at most, interpolated as Prometheus' `histogram_quantile` does.

        Args:
            q: The share, in (0, 1].

        Returns:
            None where nothing was timed, or with no finite bound; the largest finite one where the quantile lies above.
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
class Rules:
    """What is tolerated of a canary.

    Attributes:
        max_error_rate: Share of requests that it may answer with a server error, in [0, 1].
        max_latency_ratio: Its 95th percentile, divided by that of the stable version; at least 1.
    """

    max_error_rate: float = 0.01
    max_latency_ratio: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_error_rate <= 1:
            raise InvalidConfigError(f"max_error_rate must be in [0, 1]; got {self.max_error_rate!r}")
        if not self.max_latency_ratio >= 1:
            raise InvalidConfigError(f"max_latency_ratio must be at least 1; got {self.max_latency_ratio!r}")


@dataclass(frozen=True)
class TrackRow:
    """A line of the table that ends a bake.

    Attributes:
        track: `stable` or `canary`.
        requests: Requests answered.
        errors: Those answered with a server error.
        p50_s: Median time, in seconds; None where nothing was timed.
        p95_s: 95th percentile, in seconds; None likewise.
    """

    track: str
    requests: int
    errors: int
    p50_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, track: str, counts: Counts) -> "TrackRow":
        """The line of a track."""
        return cls(track, counts.requests, counts.errors, counts.quantile(0.5), counts.quantile(0.95))


@dataclass(frozen=True)
class Verdict:
    """What the bake showed.

    Attributes:
        ok: Whether the canary may take over.
        reason: What was seen, in words.
        rows: Both tracks, the stable one first.
    """

    ok: bool
    reason: str
    rows: tuple[TrackRow, ...]


class Meter:
    """Counts what pods answer from their first reading on; what a pod counted stays when the pod is gone."""

    def __init__(self) -> None:
        self._latest: dict[str, Counts] = {}
        self._total = Counts()

    def note(self, pod: str, counts: Counts) -> None:
        """A reading of a pod. The first one is where its counting begins."""
        if pod in self._latest:
            self._total += counts - self._latest[pod]
        self._latest[pod] = counts

    @property
    def total(self) -> Counts:
        """What all pods answered since their first reading."""
        return self._total


def read_metrics(text: str) -> Counts:
    """What a pod counted since it began, from the text of its `/metrics`.

    Raises:
        DataError: it is not that of a pod that answers for a fleet.
    """
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = {family.name: family for family in text_string_to_metric_families(text)}
        requests, seconds = families[_REQUESTS], families[_SECONDS]
    except (ValueError, KeyError) as err:
        raise DataError(
            f"/metrics of a pod must be Prometheus' text with {_REQUESTS}_total and {_SECONDS}; it cannot be read: "
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


def judge(canary: Counts, stable: Counts, rules: Rules) -> Verdict:
    """Whether the canary may take over from the stable version, which was under the same traffic."""
    fault = _too_many_errors(canary, stable, rules) or _too_slow(canary, stable, rules)
    return Verdict(
        ok=not fault,
        reason=fault or _nothing_wrong(canary, stable),
        rows=(TrackRow.of(STABLE, stable), TrackRow.of(CANARY, canary)),
    )


def _too_many_errors(canary: Counts, stable: Counts, rules: Rules) -> str:
    share = canary.error_share
    if canary.errors < _FEWEST_ERRORS or share <= rules.max_error_rate or share <= stable.error_share:
        return ""
    return (
        f"the canary failed {canary.errors} of {canary.requests} requests ({share:.1%}), the stable version "
        f"{stable.errors} of {stable.requests} ({stable.error_share:.1%}); {rules.max_error_rate:.1%} is tolerated"
    )


def _too_slow(canary: Counts, stable: Counts, rules: Rules) -> str:
    slow, usual = canary.quantile(0.95), stable.quantile(0.95)
    if not _comparable(canary, stable) or slow is None or usual is None:
        return ""
    if slow <= rules.max_latency_ratio * usual or slow - usual <= _FELT_S:
        return ""
    return (
        f"the canary is slow: 95 % of its {canary.requests} requests took up to {slow:.2f} s, of the stable version's "
        f"{stable.requests} up to {usual:.2f} s; {rules.max_latency_ratio:g} times that is tolerated"
    )


def _comparable(canary: Counts, stable: Counts) -> bool:
    return min(_timed(canary), _timed(stable)) >= _FEWEST_REQUESTS


def _timed(counts: Counts) -> int:
    return counts.within(math.inf)


def _nothing_wrong(canary: Counts, stable: Counts) -> str:
    seen = f"the canary answered {canary.requests} requests, {canary.errors} of them with a server error"
    slow, usual = canary.quantile(0.95), stable.quantile(0.95)
    if not _comparable(canary, stable) or slow is None or usual is None:
        return f"{seen}; too few of each version's to compare how long they took"
    return f"{seen}; 95 % took up to {slow:.2f} s, of the stable version's up to {usual:.2f} s"
