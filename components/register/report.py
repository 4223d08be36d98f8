"""What register reports."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Status = Literal["champion", "challenger", "unchanged", "not-registered"]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One skill's place in the registry.

    Attributes:
        status: `champion`: this evaluation's version is the one to serve; `challenger`: another one is; `unchanged`:
            the champion holds the very same head; `not-registered`: it passed no gate, or was dropped before.
        reason: Why, in words.
        model: Name of the registered model.
        version: This evaluation's version.
        run_id: Its run in MLflow.
        experiment_id: The skill's experiment in MLflow.
        compared_run_id: The run of the version that it was compared with; None where there was none.
        champion_version: The version to serve.
        champion_metric: Balanced accuracy of the champion on the test photos it was compared on.
        challenger_metric: That of the challenger, on the same photos; None where nothing was compared.
        head_digest: Digest of the head to serve, the champion's: `heads/<digest>.safetensors` in the store.
        candidate_head_digest: Digest of this evaluation's head; the same where it is the champion.
    """

    status: Status
    reason: str
    model: str
    version: str | None = None
    run_id: str | None = None
    experiment_id: str | None = None
    compared_run_id: str | None = None
    champion_version: str | None = None
    champion_metric: float | None = None
    challenger_metric: float | None = None
    head_digest: str | None = None
    candidate_head_digest: str | None = None


@dataclass(frozen=True)
class RegisterReport:
    """Where the lane's skills stand.

    Attributes:
        tracking: `embedded`, or the address of the tracking server, as people open it.
        skills: Each skill's place in the registry.
    """

    STEP: ClassVar[str] = "register"

    tracking: str
    skills: dict[str, Registration]
