"""State of the registry for a skill: its experiment, its run of an evaluation, its versions and aliases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coachworks.tracking import CHAMPION, TrackingClient
from coachworks.tracking.registry import Model, Version, read_model
from coachworks.tracking.tags import EVALUATE, HEAD_DIGEST, JUDGED, KIND, RUN
from components.register.lineage import SkillRecord

if TYPE_CHECKING:
    from mlflow.entities import Run

_FINISHED = "FINISHED"


@dataclass(frozen=True)
class RegistryState:
    """State of the registry for a skill and one evaluation.

    Attributes:
        experiment_id: The skill's experiment.
        run_id: The finished run of the evaluation.
        versions: All versions, oldest first.
        aliases: Alias -> number of a version.
        duplicates: Number of runs and versions of the evaluation besides the valid ones. Killed registrations and
            concurrent ones leave them.
    """

    experiment_id: str | None = None
    run_id: str | None = None
    versions: tuple[Version, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    duplicates: int = 0

    def version(self, number: str | None) -> Version | None:
        """Return the version with that number."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def champion(self) -> Version | None:
        """The version with the alias `champion`."""
        return self.version(self.aliases.get(CHAMPION))

    def version_of(self, record: SkillRecord) -> Version | None:
        """Return the version of the evaluation, else the newest one with the same head.

        Concurrent registrations may create two versions of one evaluation: the lower number is the valid one, because
        the registry numbers versions in order.
        """
        own = of_evaluation(self.versions, record)
        same = [version for version in self.versions if version.tags.get(HEAD_DIGEST) == record.head_digest]
        return own[0] if own else same[-1] if same else None


def state_of(
    record: SkillRecord, experiment_id: str | None, runs: Mapping[str, str], model: Model | None
) -> RegistryState:
    """Derive the state from the contents of the registry.

    Args:
        record: The skill.
        experiment_id: The skill's experiment.
        runs: Active runs of the evaluation in it, without their nested candidates: run id -> status.
        model: The skill's registered model.
    """
    versions = tuple(model.versions.values()) if model else ()
    own = of_evaluation(versions, record)
    valid = valid_run_id(runs, own[0].run_id if own else None)
    return RegistryState(
        experiment_id,
        valid if valid is not None and runs[valid] == _FINISHED else None,
        versions,
        model.aliases if model else {},
        duplicates=len(runs) - (valid is not None) + len(own[1:]),
    )


def read_registry(client: TrackingClient, record: SkillRecord) -> RegistryState:
    """Read the state through MLflow's client."""
    experiment = client.get_experiment_by_name(record.experiment)
    model = read_model(client, record.model)
    if experiment is None:
        return state_of(record, None, {}, model)
    runs = list_runs(client, experiment.experiment_id, record) if experiment.lifecycle_stage == "active" else []
    return state_of(record, experiment.experiment_id, {run.info.run_id: run.info.status for run in runs}, model)


def is_complete(record: SkillRecord, state: RegistryState) -> bool:
    """Return whether register has nothing left to do for a skill."""
    status = record.evaluated.status
    if status == "dropped":
        return True
    if status == "failed":
        return state.run_id is not None and not state.duplicates
    champion, own = state.champion, state.version_of(record)
    if champion is not None and is_unchanged(record, champion):
        return True
    return champion is not None and own is not None and JUDGED in own.tags and not state.duplicates


def is_unchanged(record: SkillRecord, champion: Version) -> bool:
    """Return whether the champion is of an earlier evaluation and has the same head as this one."""
    return (
        champion.tags.get(HEAD_DIGEST) == record.head_digest
        and champion.tags.get(EVALUATE) != record.lineage.evaluate.key
    )


def of_evaluation(versions: Iterable[Version], record: SkillRecord) -> list[Version]:
    """Return the versions of the record's evaluation, in their order."""
    return [version for version in versions if version.tags.get(EVALUATE) == record.lineage.evaluate.key]


def list_runs(client: TrackingClient, experiment_id: str, record: SkillRecord) -> list["Run"]:
    """List the runs of the evaluation, finished or not, without their nested candidates."""
    return list(
        client.search_runs(
            [experiment_id], f"tags.`{EVALUATE}` = '{record.lineage.evaluate.key}' and tags.`{KIND}` = '{RUN}'"
        )
    )


def valid_run(runs: Iterable["Run"], preferred: str | None = None) -> "Run | None":
    """Choose the valid one of several equal runs, as `valid_run_id` does."""
    by_id = {run.info.run_id: run for run in runs}
    valid = valid_run_id(by_id, preferred)
    return None if valid is None else by_id[valid]


def valid_run_id(run_ids: Iterable[str], preferred: str | None = None) -> str | None:
    """Choose the valid one of several equal runs: `preferred`, the run of the version, else the lowest id.

    Every process chooses the same. The status has no influence: two processes that finish their runs at the same time
    would each keep its own run and remove the other's.
    """
    return min(run_ids, key=lambda run_id: (run_id != preferred, run_id), default=None)
