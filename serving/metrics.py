"""Prometheus metrics of the service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from serving.bundle import Bundle

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class ServiceMetrics:
    """The service's metrics, in a registry of their own, without those of BentoML and of the process.

    Attributes:
        registry: Registry behind `/metrics`.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # omit the `_created` series, one more per counter
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "coachworks_requests", "Requests answered.", ["path", "method", "status", "skill"], registry=self.registry
        )
        self.errors = Counter("coachworks_errors", "Requests refused, by code.", ["code"], registry=self.registry)
        self.key_requests = Counter(
            "coachworks_key_requests", "Requests admitted, by the name of the API key.", ["key"], registry=self.registry
        )
        self.seconds = Histogram(
            "coachworks_request_seconds",
            "Time from the request's headers to its answer.",
            ["path", "skill"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_photos = Histogram(
            "coachworks_batch_photos", "Photos per backbone pass.", buckets=_PHOTOS, registry=self.registry
        )
        self.answers = Counter(
            "coachworks_answers", "Answers, by skill and label.", ["skill", "label"], registry=self.registry
        )
        self.in_progress = Gauge(
            "coachworks_requests_in_progress", "Photos between upload and answer.", registry=self.registry
        )
        self.connections = Gauge("coachworks_connections", "Open connections.", registry=self.registry)
        self.closed_connections = Counter(
            "coachworks_connections_closed",
            "Connections that the service closed before their clients did, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.decoders_replaced = Counter(
            "coachworks_decoders_replaced",
            "Decoder processes replaced, by lane and cause.",
            ["lane", "cause"],
            registry=self.registry,
        )
        self.too_costly = Counter(
            "coachworks_photos_too_costly",
            "Photos refused because decoding them costs too much.",
            registry=self.registry,
        )
        self.models = Gauge(
            "coachworks_model_info",
            "1 for every loaded model.",
            ["fleet", "bundle", "skill", "model_version", "kind", "backbone"],
            registry=self.registry,
        )

    def set_models(self, bundle: Bundle) -> None:
        """Set `coachworks_model_info` for every model, and create every label's counter at 0."""
        for name, skill in bundle.skills.items():
            self.models.labels(
                bundle.fleet, bundle.digest, name, skill.entry.version, skill.entry.kind, bundle.backbone.name
            ).set(1)
            for label in skill.head.labels:
                self.answers.labels(name, label)
