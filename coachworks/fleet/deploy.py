"""The model of `spec.deploy`: where the fleet is served on Kubernetes, and how a new version proves itself."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from coachworks.fleet import rules
from coachworks.fleet.cluster import CertificateAuthority, EnvironmentSource, ObjectName, check_image
from coachworks.fleet.field_types import Fraction, Name, Number, Part, Text, Whole

# What of the chart's values this file says elsewhere, or `coachworks deploy` by itself.
OWN_VALUES = (
    *("backbone", "canary", "fleet", "image", "imagePullSecrets", "models", "release", "skills", "traffic"),
    *("autoscaling", "priorityClassName"),
)


class Autoscaling(Part):
    """How many pods, by how busy they are."""

    min_replicas: Whole = Field(2, ge=1, description="Fewest pods of a group.")
    max_replicas: Whole = Field(10, ge=1, description="Most pods of a group.")
    cpu_utilization: Whole = Field(70, ge=1, le=1000, description="CPU in use that is aimed at, in % of the request.")

    @model_validator(mode="after")
    def _fewest_before_most(self) -> "Autoscaling":
        if self.min_replicas > self.max_replicas:
            raise rules.broken(
                f"minReplicas must be at most maxReplicas; got {self.min_replicas} and {self.max_replicas}"
            )
        return self


class Canary(Part):
    """How a new version proves itself beside the one that answers."""

    share: Number = Field(
        0.25, gt=0, le=0.5, description="Share of a group's pods, and so of its traffic, that is new; one pod at least."
    )
    bake_seconds: Whole = Field(300, ge=0, description="How long it must hold under traffic, in seconds.")
    max_error_rate: Fraction = Field(0.01, description="Share of failed requests (5xx) that is tolerated.")
    max_latency_ratio: Number = Field(
        1.5, ge=1, description="How much slower it may be: its 95th percentile, divided by that of the old version."
    )
    smoke_photos: Whole = Field(8, ge=1, le=100, description="Photos of the test split that each skill must know.")


class Deploy(Part):
    """Where and how the fleet is served on Kubernetes; nothing here is secret."""

    namespace: Name | None = Field(None, description="Namespace; unset: that of the kubeconfig's context.")
    release: Name | None = Field(None, max_length=40, description="Name of the Helm release; unset: the fleet's name.")
    image: Text | None = Field(None, description="Image of the pods; unset: that of `coachworks images`.")
    image_pull_secrets: list[ObjectName] = Field([], description="Secrets with registry credentials.")
    environment: list[EnvironmentSource] | None = Field(
        None,
        description="Secrets and ConfigMaps of that namespace that tell pods of the store and credentials; unset: "
        "those of the same names as under `cluster`.",
    )
    certificate_authority: CertificateAuthority | None = Field(None, description="A private authority to trust.")
    autoscaling: Autoscaling | None = Field(None, description="Let the number of pods follow the load.")
    priority_class: ObjectName | None = Field(None, description="An existing PriorityClass.")
    canary: Canary = Field(Canary(), description="How a new version proves itself beside the one that answers.")
    keep_revisions: Whole = Field(40, ge=10, description="Revisions of the Helm release that are kept.")
    automatic: bool = Field(False, description="Deploy at the end of every run, as the pipeline's last step.")
    values: dict[str, Any] = Field(
        {}, description="Further values of charts/fleet, as nodeSelector, networkPolicy, monitoring."
    )
    skills: dict[str, dict[str, Any]] = Field(
        {}, description="Further values of charts/fleet by skill, as health or imagePullSecrets of its own pods."
    )

    @field_validator("image")
    @classmethod
    def _image_is_pinned(cls, image: str | None) -> str | None:
        return check_image(image)

    @field_validator("values")
    @classmethod
    def _values_are_not_said_elsewhere(cls, values: dict[str, Any]) -> dict[str, Any]:
        rules.raise_all(
            "values",
            [
                rules.detail(
                    f"`values` must not hold {name!r}, which follows from the rest of the fleet file. Remove it.",
                    (name,),
                    name,
                )
                for name in values
                if name in OWN_VALUES
            ],
        )
        return values
