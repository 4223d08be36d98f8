"""A fleet of two skills and the chart's values of a release of it."""

from typing import Any

from small_fleets import small_fleet

from coachworks.fleet.model import Fleet
from coachworks.models.manifest import Manifest, PackagedBackbone, PackagedHead
from components.deploy.target.values import FleetValues, chart_values

SHA = "ab" * 32


def fleet(*, store: str = "s3://models/showroom", skills: dict[str, Any] | None = None, **deploy: Any) -> Fleet:
    """`view` in shared pods, `wheel` in its own, unless `skills` says otherwise; `deploy` is `spec.deploy`."""
    named = skills or {
        "view": {},
        "wheel": {"layout": "dedicated", "replicas": 3, "port": 9722, "serviceName": "ai-wheel"},
    }
    labelled = {name: {"labels": ["a", "b"], "serving": serving} for name, serving in named.items()}
    return small_fleet(labelled, store=store, deploy=deploy, cluster={"environment": [{"secret": "store"}]})


def manifest(**versions: str) -> Manifest:
    """Exact versions of a release."""
    return Manifest(
        fleet="showroom",
        created_at="2026-01-01T00:00:00+00:00",
        backbone=PackagedBackbone(name="efficientnet-lite0", digest=SHA, sha256=SHA),
        skills={
            name: PackagedHead(
                labels=["a", "b"],
                kind="linear",
                version=version,
                head_sha256=f"{int(version):064x}",
                provenance={"created_at": "2026-01-01T00:00:00+00:00", "run": "20260101-000000-abcdef"},
            )
            for name, version in versions.items()
        },
    )


def values_of(of: Fleet | None = None, **versions: str) -> FleetValues:
    """Values of a release of these versions."""
    models = manifest(**(versions or {"view": "1", "wheel": "1"}))
    return chart_values(of or fleet(), models, image="ghcr.io/acme/serving:1.2")
