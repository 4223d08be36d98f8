"""Model of `spec.cluster`: settings of the pipeline's pods on Kubernetes."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from coachworks.fleet import rules
from coachworks.fleet.field_types import Cpu, Memory, Name, Part, Text, Whole
from coachworks.steps import CHAIN
from coachworks.wording import did_you_mean

# Steps that can use an accelerator.
ACCELERATED = ("embed", "train")

_OBJECT = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _object_name(name: str) -> str:
    if not re.fullmatch(_OBJECT, name):
        raise rules.broken(
            "the name of a Kubernetes object must be lower-case letters, digits, hyphens and dots, beginning and "
            f"ending with a letter or digit; got {name!r}"
        )
    return name


def _variable_name(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise rules.broken(
            "an entry must be named like an environment variable: letters, digits and underscores, not beginning with "
            f"a digit; got {name!r}. Rename it in the Secret or ConfigMap."
        )
    return name


ObjectName = Annotated[
    str,
    AfterValidator(_object_name),
    Field(
        description="Name of an object in the pipelines' namespace.",
        json_schema_extra={"pattern": _OBJECT},
    ),
]
_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
VariableName = Annotated[
    str,
    AfterValidator(_variable_name),
    Field(description="Name of an environment variable.", json_schema_extra={"pattern": _VARIABLE}),
]


def check_image(image: str | None) -> str | None:
    """Return `image` if it is pinned.

    Raises:
        PydanticCustomError: it has no digest, and no tag other than `latest`.
    """
    tag = (image or "").rpartition("/")[2].partition(":")[2]
    if image is not None and "@sha256:" not in image and tag in {"", "latest"}:
        raise rules.broken(
            f"`image` must name a tag other than `latest`, or a digest, because results are cached by it; got {image!r}"
        )
    return image


def amount(quantity: str) -> float:
    """Return a Kubernetes quantity as a number of cores or bytes.

    >>> amount("500m"), amount("2Gi")
    (0.5, 2147483648.0)
    """
    number = quantity.rstrip("mKMGTki")
    return float(number) * _UNITS[quantity.removeprefix(number)]


class Quantities(Part):
    """CPU and memory of a pod."""

    cpu: Cpu | None = Field(None, description='A Kubernetes quantity: "1" or 500m.')
    memory: Memory | None = Field(None, description="A Kubernetes quantity: 2Gi or 512Mi.")


class Accelerator(Part):
    """Accelerators of a pod."""

    type: Text = Field("nvidia.com/gpu", description="Resource name of the device plug-in.")
    count: Whole = Field(1, ge=1, description="Number of accelerators.")


class Toleration(Part):
    """Toleration of a taint, with the fields of Kubernetes."""

    key: Text | None = Field(None, description="Key of the taint; unset with `operator: Exists`: every taint.")
    operator: Literal["Equal", "Exists"] = Field(
        "Equal", description="Comparison with the taint: equal value, or any value."
    )
    value: str | None = Field(None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; unset: all of them."
    )
    toleration_seconds: Whole | None = Field(None, ge=0, description="Seconds before eviction by a NoExecute taint.")

    @model_validator(mode="after")
    def _is_valid_for_kubernetes(self) -> "Toleration":
        if self.operator == "Exists" and self.value is not None:
            raise rules.broken("a toleration with `operator: Exists` must have no `value`. Remove it.")
        if self.operator == "Equal" and self.key is None:
            raise rules.broken("a toleration must have a `key`, unless it has `operator: Exists`")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise rules.broken("a toleration with `tolerationSeconds` must have `effect: NoExecute`")
        return self


class Pod(Part):
    """Settings of a step's pod."""

    requests: Quantities = Field(Quantities(), description="Resource requests.")
    limits: Quantities = Field(
        Quantities(), description="Resource limits; the number of threads follows the CPU limit."
    )
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have.")
    tolerations: list[Toleration] = Field([], description="Tolerations of taints.")
    accelerator: Accelerator | None = Field(None, description="Accelerators, for `embed` and `train`.")


class EnvironmentSource(Part):
    """A Secret or ConfigMap whose entries become environment variables of every step."""

    secret: ObjectName | None = Field(None, description="Name of a Secret.")
    config_map: ObjectName | None = Field(None, description="Name of a ConfigMap.")
    keys: list[VariableName] | None = Field(
        None,
        min_length=1,
        description="Required entries, each named like its variable; unset: all entries of the object.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "EnvironmentSource":
        if (self.secret is None) == (self.config_map is None):
            raise rules.broken("an entry of `environment` must name either a `secret` or a `configMap`")
        return self


class CertificateAuthority(Part):
    """Certificates of a private authority in a ConfigMap or Secret."""

    config_map: ObjectName | None = Field(None, description="Name of a ConfigMap.")
    secret: ObjectName | None = Field(None, description="Name of a Secret.")
    key: Text = Field(
        "ca.crt", description="Entry with the certificates, as PEM, of the authorities of all servers that steps use."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "CertificateAuthority":
        if (self.secret is None) == (self.config_map is None):
            raise rules.broken("`certificateAuthority` must name either a `configMap` or a `secret`")
        return self


class KeepPods(Part):
    """Time for which the pods of finished runs stay; backends of Kubeflow Pipelines before 2.17 ignore it."""

    after_success_seconds: Whole | None = Field(
        None, ge=60, description="Seconds after a run that succeeded; unset: until Kubeflow Pipelines deletes them."
    )
    after_failure_seconds: Whole | None = Field(
        None, ge=60, description="Seconds after a run that failed; unset: until Kubeflow Pipelines deletes them."
    )


class Cluster(Part):
    """Settings of the pipeline on Kubernetes, without secrets; `coachworks run` ignores them."""

    namespace: Name | None = Field(
        None, description="Namespace of the runs; unset: that of the client's settings, else `kubeflow`."
    )
    service_account: ObjectName | None = Field(None, description="Service account of the pods; unset: KFP's default.")
    dashboard: Text | None = Field(
        None, description="Address of the KFP dashboard in a browser, for links from MLflow."
    )
    image: Text | None = Field(None, description="Image of the steps; unset: that of `coachworks images`.")
    image_pull_secrets: list[ObjectName] = Field([], description="Secrets with registry credentials.")
    environment: list[EnvironmentSource] = Field(
        [], description="Secrets and ConfigMaps with the addresses and credentials of the store and MLflow."
    )
    certificate_authority: CertificateAuthority | None = Field(None, description="A private authority to trust.")
    cache_salt: Text | None = Field(
        None,
        description="Part of KFP's cache keys: a new value empties it; unset: derived from the store, so that "
        "a new store starts with an empty cache.",
    )
    schedule: Text | None = Field(
        None, description="Cron expression of `submit --schedule`, five fields or six with seconds first."
    )
    keep_pods: KeepPods = Field(KeepPods(), description="Time for which the pods of finished runs stay.")
    defaults: Pod = Field(Pod(), description="Settings of every step's pod.")
    steps: dict[str, Pod] = Field(
        {}, description="Settings of a step's pod by the step's name; unset ones are those of `defaults`."
    )

    @field_validator("schedule")
    @classmethod
    def _schedule_has_fields(cls, schedule: str | None) -> str | None:
        if schedule is not None and len(schedule.split()) not in {5, 6}:
            raise rules.broken(
                f'`schedule` must be a cron expression of five or six fields, such as "0 2 * * *"; got {schedule!r}'
            )
        return schedule

    @field_validator("steps")
    @classmethod
    def _steps_exist(cls, steps: dict[str, Pod]) -> dict[str, Pod]:
        rules.raise_all(
            "steps",
            [
                rules.detail(
                    f"`steps` must name steps of the pipeline; got {name!r}.{did_you_mean(name, list(CHAIN))}",
                    (name, "[key]"),
                    name,
                )
                for name in steps
                if name not in CHAIN
            ],
        )
        return steps

    @field_validator("image")
    @classmethod
    def _image_is_pinned(cls, image: str | None) -> str | None:
        return check_image(image)

    @field_validator("environment")
    @classmethod
    def _variables_have_one_source(cls, environment: list[EnvironmentSource]) -> list[EnvironmentSource]:
        named = [key for source in environment for key in source.keys or ()]
        twice = sorted({key for key in named if named.count(key) > 1})
        if twice:
            raise rules.broken(
                f"a variable must come from one Secret or ConfigMap; {twice[0]!r} is named more than once. Remove one."
            )
        return environment

    @model_validator(mode="after")
    def _mounted_objects_have_different_names(self) -> "Cluster":
        authority = self.certificate_authority
        mounted = [str(source.secret or source.config_map) for source in self.environment if source.keys is None]
        mounted += [str(authority.secret or authority.config_map)] if authority else []
        twice = sorted({name for name in mounted if mounted.count(name) > 1})
        if twice:
            raise rules.broken(
                f"mounted Secrets and ConfigMaps must have different names; {twice[0]!r} is named "
                "more than once. Rename one, or list its `keys` under `environment`."
            )
        return self

    @model_validator(mode="after")
    def _requests_fit_limits(self) -> "Cluster":
        pods: dict[rules.Location, Pod] = {("defaults",): self.defaults}
        pods |= {("steps", step): self.pod(step) for step in self.steps}
        details = []
        reported = set()
        for location, pod in pods.items():
            for name in ("cpu", "memory"):
                request, limit = getattr(pod.requests, name), getattr(pod.limits, name)
                if request is None or limit is None or amount(request) <= amount(limit) or (request, limit) in reported:
                    continue
                reported.add((request, limit))
                message = f"a request must not exceed the limit; got {request!r} and {limit!r} of {name}"
                details.append(rules.detail(f"{message}. Raise the limit.", (*location, "requests", name), request))
        rules.raise_all("cluster", details)
        return self

    @field_validator("steps")
    @classmethod
    def _accelerators_are_used(cls, steps: dict[str, Pod]) -> dict[str, Pod]:
        rules.raise_all(
            "steps",
            [
                rules.detail(
                    f"only {' and '.join(ACCELERATED)} can use an `accelerator`; got one for {name!r}. Remove it.",
                    (name, "accelerator"),
                    name,
                )
                for name, pod in steps.items()
                if name not in ACCELERATED and pod.accelerator is not None
            ],
        )
        return steps

    @field_validator("dashboard")
    @classmethod
    def _dashboard_is_an_address(cls, dashboard: str | None) -> str | None:
        if dashboard is not None and not dashboard.startswith(("http://", "https://")):
            raise rules.broken(f"`dashboard` must be an address such as https://kubeflow.example; got {dashboard!r}")
        return dashboard

    def pod(self, step: str) -> Pod:
        """Return the settings of a step's pod: its own where set, else those of `defaults`."""
        own = self.steps.get(step)
        if own is None:
            return self.defaults
        update = {name: getattr(own, name) for name in own.model_fields_set}
        for name in ("requests", "limits"):
            if name in update:
                update[name] = getattr(self.defaults, name).model_copy(
                    update=update[name].model_dump(exclude_unset=True)
                )
        return self.defaults.model_copy(update=update)
