"""Model of `spec.deploy`: where the fleet is served on Kubernetes, and the canary of a new version."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from coachworks.fleet import rules
from coachworks.fleet.cluster import CertificateAuthority, EnvironmentSource, ObjectName, check_image
from coachworks.fleet.field_types import Fraction, Name, Number, Part, Text, Whole

# Values of the chart that follow from the rest of the fleet file, or that `coachworks deploy` computes.
OWN_VALUES = (
    *("backbone", "canary", "fleet", "image", "imagePullSecrets", "models", "release", "releaseDigest", "skills"),
    *("traffic", "autoscaling", "priorityClassName"),
)


class Autoscaling(Part):
    """Number of pods, by CPU utilization."""

    min_replicas: Whole = Field(2, ge=1, description="Minimum number of pods of a group.")
    max_replicas: Whole = Field(10, ge=1, description="Maximum number of pods of a group.")
    cpu_utilization: Whole = Field(70, ge=1, le=1000, description="Target CPU utilization, in % of the request.")

    @model_validator(mode="after")
    def _fewest_before_most(self) -> "Autoscaling":
        if self.min_replicas > self.max_replicas:
            raise rules.broken(
                f"minReplicas must be at most maxReplicas; got {self.min_replicas} and {self.max_replicas}"
            )
        return self


class Canary(Part):
    """Checks of a new version beside the deployed one."""

    share: Number = Field(
        0.25,
        gt=0,
        le=0.5,
        description="Share of a group's pods, and so of its traffic, that is the canary's; at least one pod.",
    )
    soak_seconds: Whole = Field(300, ge=0, description="Time that the canary serves traffic before promotion, in s.")
    max_error_rate: Fraction = Field(0.01, description="Largest share of failed requests (5xx).")
    max_latency_ratio: Number = Field(
        1.5, ge=1, description="Largest ratio of its 95th percentile of latency to that of the old version."
    )
    smoke_photos: Whole = Field(8, ge=1, le=100, description="Photos of the test split in the smoke test, per skill.")

    @model_validator(mode="before")
    @classmethod
    def _refuse_renamed(cls, data: Any) -> Any:
        if isinstance(data, dict) and "bakeSeconds" in data:
            message = "`bakeSeconds` is called `soakSeconds` now. Rename it."
            rules.raise_all("canary", [rules.detail(message, ("bakeSeconds",), data["bakeSeconds"])])
        return data


class Deploy(Part):
    """Settings of the release on Kubernetes; nothing here is secret."""

    namespace: Name | None = Field(None, description="Namespace; unset: that of the kubeconfig's context.")
    release: Name | None = Field(None, max_length=40, description="Name of the Helm release; unset: the fleet's name.")
    image: Text | None = Field(None, description="Image of the pods; unset: that of `coachworks images`.")
    image_pull_secrets: list[ObjectName] = Field([], description="Secrets with registry credentials.")
    environment: list[EnvironmentSource] | None = Field(
        None,
        description="Secrets and ConfigMaps of that namespace with the settings and credentials of the store; unset: "
        "those of the same names as under `cluster`.",
    )
    certificate_authority: CertificateAuthority | None = Field(
        None, description="Private certificate authority to trust."
    )
    autoscaling: Autoscaling | None = Field(None, description="Scale the number of pods by load.")
    priority_class: ObjectName | None = Field(None, description="An existing PriorityClass.")
    canary: Canary = Field(Canary(), description="Checks of a new version beside the deployed one.")
    keep_revisions: Whole = Field(40, ge=10, description="Number of revisions that the Helm release keeps.")
    automatic: bool = Field(False, description="Deploy at the end of every run, as the last step of the pipeline.")
    values: dict[str, Any] = Field(
        {}, description="More values of charts/fleet, such as nodeSelector, networkPolicy, monitoring."
    )
    skills: dict[str, dict[str, Any]] = Field(
        {}, description="More values of charts/fleet by skill, such as health or imagePullSecrets of its own pods."
    )

    @field_validator("image")
    @classmethod
    def _image_is_pinned(cls, image: str | None) -> str | None:
        return check_image(image)

    @field_validator("values")
    @classmethod
    def _refuse_own_values(cls, values: dict[str, Any]) -> dict[str, Any]:
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
