"""What the registry holds for a skill: read through MLflow's client, or in a blink from the embedded SQLite file."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coachworks.tracking import CHALLENGER, CHAMPION, Tracking
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import EVALUATE, HEAD_DIGEST, JUDGED, KIND, RUN
from components.register.lineage import SkillRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Observed:
    """What the registry holds for a skill.

    Attributes:
        experiment_id: The skill's experiment.
        run_id: The finished run of this evaluation.
        versions: All versions, oldest first.
        aliases: alias -> version.
        strays: How many more runs and versions of this evaluation there are than the valid ones: begun and left, or
            made by two registrations at once.
    """

    experiment_id: str | None = None
    run_id: str | None = None
    versions: tuple[Version, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    strays: int = 0

    def version(self, number: str | None) -> Version | None:
        """The version with that number."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def champion(self) -> Version | None:
        """The version that is served."""
        return self.version(self.aliases.get(CHAMPION))

    @property
    def challenger(self) -> Version | None:
        """The version that wants to be."""
        return self.version(self.aliases.get(CHALLENGER))

    def of(self, record: SkillRecord) -> Version | None:
        """The version of this evaluation, else the newest with the very same head.

        Two registrations at once may have made two versions of one evaluation: the lower number is the valid one,
        for the registry gives numbers in order.
        """
        own = of_evaluation(self.versions, record)
        same = [version for version in self.versions if version.tags.get(HEAD_DIGEST) == record.head_digest]
        return own[0] if own else same[-1] if same else None


def of_evaluation(versions: Iterable[Version], record: SkillRecord) -> list[Version]:
    """The versions that were made of this very evaluation, in their order."""
    return [version for version in versions if version.tags.get(EVALUATE) == record.lineage.evaluate.key]


def settled(record: SkillRecord, seen: Observed) -> bool:
    """Whether nothing is left to do for a skill."""
    status = record.evaluated["status"]
    if status == "dropped":
        return True
    if status == "failed":
        return seen.run_id is not None and not seen.strays
    champion, own = seen.champion, seen.of(record)
    if champion is not None and unchanged(record, champion):
        return True
    return champion is not None and own is not None and JUDGED in own.tags and not seen.strays


def unchanged(record: SkillRecord, champion: Version) -> bool:
    """Whether the champion, of an earlier evaluation, holds the very same head."""
    return (
        champion.tags.get(HEAD_DIGEST) == record.head_digest
        and champion.tags.get(EVALUATE) != record.lineage.evaluate.key
    )


def ask(client: "MlflowClient", record: SkillRecord) -> Observed:
    """What the registry holds for a skill, through MLflow's client."""
    experiment = client.get_experiment_by_name(record.experiment)
    registered = client.search_registered_models(f"name = '{record.model}'", max_results=1)
    versions = list_versions(client, record) if registered else ()
    aliases = {alias: str(number) for alias, number in dict(registered[0].aliases).items()} if registered else {}
    if experiment is None or experiment.lifecycle_stage != "active":
        return Observed(experiment.experiment_id if experiment else None, None, versions, aliases)
    own = of_evaluation(versions, record)
    runs = list_runs(client, experiment.experiment_id, record)
    valid = valid_run(runs, own[0].run_id if own else None)
    run_id = valid.info.run_id if valid is not None and valid.info.status == "FINISHED" else None
    strays = sum(run is not valid for run in runs) + len(own[1:])
    return Observed(experiment.experiment_id, run_id, versions, aliases, strays)


def list_versions(client: "MlflowClient", record: SkillRecord) -> tuple[Version, ...]:
    """All versions of the skill's model, oldest first."""
    found = client.search_model_versions(f"name = '{record.model}'")
    return tuple(
        Version(str(version.version), dict(version.tags), version.run_id)
        for version in sorted(found, key=lambda version: int(version.version))
    )


def list_runs(client: "MlflowClient", experiment_id: str, record: SkillRecord) -> list["Run"]:
    """The runs of this evaluation, finished or not, without the candidates nested in them."""
    return list(
        client.search_runs(
            [experiment_id], f"tags.`{EVALUATE}` = '{record.lineage.evaluate.key}' and tags.`{KIND}` = '{RUN}'"
        )
    )


def valid_run(runs: Iterable["Run"], preferred: str | None = None) -> "Run | None":
    """Which of several equal runs everybody takes: `preferred`, that of the version; else the lowest id.

    Not a finished one: two who finish at the same time would each keep their own and remove the other's.
    """
    return min(runs, key=lambda run: (run.info.run_id != preferred, run.info.run_id), default=None)


def peek(tracking: Tracking, record: SkillRecord) -> Observed | None:
    """The same from the embedded SQLite file, without importing MLflow (three seconds); None where that cannot tell."""
    if tracking.database is None or not tracking.database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{tracking.database.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return _peek(connection, record)
    except sqlite3.Error:
        return None  # another version's tables, or a file in use: MLflow itself will tell


def _peek(connection: sqlite3.Connection, record: SkillRecord) -> Observed:
    runs = connection.execute(
        "SELECT CAST(e.experiment_id AS TEXT), (SELECT r.run_uuid FROM runs r"
        "  JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = ? AND t.value = ?"
        "  JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = ? AND k.value = ?"
        "  WHERE r.experiment_id = e.experiment_id AND r.status = 'FINISHED' AND r.lifecycle_stage = 'active'"
        "  ORDER BY r.start_time DESC LIMIT 1) "
        "FROM experiments e WHERE e.name = ?",
        (EVALUATE, record.lineage.evaluate.key, KIND, RUN, record.experiment),
    ).fetchone()
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    for number, key, value in connection.execute(
        "SELECT version, key, value FROM model_version_tags WHERE name = ?", (record.model,)
    ):
        tags[str(number)][key] = value
    versions = connection.execute(
        "SELECT version, run_id FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal' "
        "ORDER BY version",
        (record.model,),
    ).fetchall()
    aliases = connection.execute("SELECT alias, version FROM registered_model_aliases WHERE name = ?", (record.model,))
    experiment_id, run_id = runs or (None, None)
    return Observed(
        experiment_id,
        run_id,
        tuple(Version(str(number), tags[str(number)], run) for number, run in versions),
        {alias: str(number) for alias, number in aliases},
    )
