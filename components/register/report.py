"""The report of register."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Status = Literal["champion", "challenger", "unchanged", "not-registered"]


@dataclass(frozen=True, kw_only=True)
class Registration:
    """The registration of a skill in the registry.

    Attributes:
        status: `champion`: this evaluation's version is the champion; `challenger`: another version is; `unchanged`:
            the champion has the same head; `not-registered`: it failed its gates, or was dropped before.
        reason: Reason of the status, in words.
        model: Name of the registered model.
        version: This evaluation's version.
        run_id: Its run in MLflow.
        experiment_id: The skill's experiment in MLflow.
        compared_run_id: The run of the version that it was compared with; None if there was none.
        champion_version: Version of the champion.
        champion_metric: Balanced accuracy of the champion on the test photos of the comparison.
        challenger_metric: That of the challenger, on the same photos; None if nothing was compared.
        probability_better: Share of the bootstrap replicates in which the challenger of that comparison was better.
        head_digest: Digest of the champion's head, `heads/<digest>.safetensors` in the store.
        candidate_head_digest: Digest of this evaluation's head; the same if it is the champion.
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
    probability_better: float | None = None
    head_digest: str | None = None
    candidate_head_digest: str | None = None


@dataclass(frozen=True)
class RegisterReport:
    """The registrations of a lane's skills.

    Attributes:
        tracking: `embedded`, or the public address of the tracking server.
        skills: Registrations by skill.
    """

    STEP: ClassVar[str] = "register"

    tracking: str
    skills: dict[str, Registration]
