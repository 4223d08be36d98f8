"""What deploy reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.deploy.canary.metrics import TrackRow
from components.deploy.rollout import Stage


@dataclass(frozen=True, kw_only=True)
class DeployedSkill:
    """A skill that is released.

    Attributes:
        version: Version of its registered model.
        before: The version that answered before; None where none did.
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


@dataclass(frozen=True, kw_only=True)
class DeployReport:
    """How a deployment went.

    Attributes:
        status: `deployed`; `unchanged`, where there was nothing to do; `awaiting-approval`, where a critical skill's
            new version is left out of what was deployed until `coachworks approve`.
        namespace: Where the release is.
        name: Name of the Helm release.
        revision: Its revision; 0 where nothing is released.
        release: Digest of what is released, 12 hexadecimal digits; empty likewise.
        skills: The skills that are released.
        awaiting: Critical skills whose new version awaits approval, each with what to do.
        left_out: Skills that are not released, each with the reason.
        stages: What was done, in order.
        smoke: Answers that the smoke test compared.
        bake: What canary and stable pods answered during the bake.
        seen: What the bake showed, in words.
    """

    status: Literal["deployed", "unchanged", "awaiting-approval"]
    namespace: str
    name: str
    revision: int
    release: str
    skills: Mapping[str, DeployedSkill]
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]
    stages: Sequence[Stage] = ()
    smoke: int = 0
    bake: Sequence[TrackRow] = ()
    seen: str = ""
