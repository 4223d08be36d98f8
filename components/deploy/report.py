"""Report of deploy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class DeployedSkill:
    """Skill of a deployed release.

    Attributes:
        version: Version of its registered model.
        before: The version that was deployed before; None where there was none.
        digest: SHA-256 of its head.
        layout: `shared` or `dedicated` pods.
        service: Name of its Service.
        port: Port of its Service.
    """

    version: str
    before: str | None
    digest: str
    layout: str
    service: str
    port: int


@dataclass(frozen=True)
class Stage:
    """Stage of a rollout: its name, the revision it created (0: none), and its duration in seconds."""

    name: str
    revision: int
    seconds: float


@dataclass(frozen=True)
class TrackRow:
    """Row of the table of a soak: one track.

    Attributes:
        track: `stable` or `canary`.
        requests: Requests answered.
        errors: Those answered with a server error.
        p50_s: Median time, in seconds; None without requests.
        p95_s: 95th percentile, in seconds; None likewise.
    """

    track: str
    requests: int
    errors: int
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True, kw_only=True)
class DeployReport:
    """Result of a deployment.

    Attributes:
        status: `deployed`; `unchanged`, where there was nothing to do; `awaiting-approval`, where a critical skill's
            new version is not deployed until `coachworks approve`; `refused`, where something would not be answered any
            more, in a run of the pipeline: nothing was changed.
        namespace: Namespace of the release.
        release: Name of the Helm release.
        revision: Its revision; 0 where nothing is deployed.
        release_digest: Digest of all that is deployed, 12 hexadecimal digits; empty likewise.
        skills: The deployed skills.
        awaiting: Critical skills whose new version awaits approval, each with what to do.
        left_out: Skills that are not deployed, each with the reason.
        refused: What would not be answered any more, each with the reason and the way out.
        stages: Stages of the rollout, in order.
        mended: Changes by hand that the deployment took back, each as a sentence.
        smoke: Number of answers that the smoke test compared.
        soak: Requests, errors and latency of canary and stable pods during the soak.
        soak_summary: Result of the soak in words.
    """

    STEP: ClassVar[str] = "deploy"

    status: Literal["deployed", "unchanged", "awaiting-approval", "refused"]
    namespace: str
    release: str
    revision: int
    release_digest: str
    skills: Mapping[str, DeployedSkill]
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]
    stages: Sequence[Stage] = ()
    mended: Sequence[str] = ()
    smoke: int = 0
    soak: Sequence[TrackRow] = ()
    soak_summary: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
