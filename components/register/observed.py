"""What the registry holds for a skill: read through MLflow's client, or in a blink from the embedded SQLite file."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coachworks.tracking import CHALLENGER, CHAMPION, Tracking
from components.register.lineage import SkillRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Tags by which runs and versions are found again.
EVALUATE = "coachworks.evaluate"  # key of the evaluation that a run or version stands for
KIND = "coachworks.kind"  # RUN or CANDIDATE
HEAD = "head_digest"  # of a version
JUDGED = "coachworks.judged"  # set last: champion or challenger, the aliases are where they belong
COMPARISON = "coachworks.comparison"  # JSON of the comparison with the champion
REASON = "reason"  # why it is champion or challenger, in words
BALANCED_ACCURACY = "balanced_accuracy"  # of a version, on the test split of its own evaluation
RUN, CANDIDATE = "run", "candidate"


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: Its number, as a string.
        tags: Its tags.
        run_id: The run it comes from.
    """

    number: str
    tags: Mapping[str, str]
    run_id: str | None = None


@dataclass(frozen=True)
class Observed:
    """What the registry holds for a skill.

    Attributes:
        experiment_id: The skill's experiment.
        run_id: The finished run of this evaluation.
        versions: All versions, oldest first.
        aliases: alias -> version.
    """

    experiment_id: str | None = None
    run_id: str | None = None
    versions: tuple[Version, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

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
        """The version of this evaluation, else the newest with the very same head."""
        for tag, value in ((EVALUATE, record.lineage.evaluate.key), (HEAD, record.head_digest)):
            found = [version for version in self.versions if version.tags.get(tag) == value]
            if found:
                return found[-1]
        return None


def settled(record: SkillRecord, seen: Observed) -> bool:
    """Whether nothing is left to do for a skill."""
    status = record.evaluated["status"]
    if status == "dropped":
        return True
    if status == "failed":
        return seen.run_id is not None
    champion, own = seen.champion, seen.of(record)
    return champion is not None and (unchanged(record, champion) or (own is not None and JUDGED in own.tags))


def unchanged(record: SkillRecord, champion: Version) -> bool:
    """Whether the champion, of an earlier evaluation, holds the very same head."""
    return champion.tags.get(HEAD) == record.head_digest and champion.tags.get(EVALUATE) != record.lineage.evaluate.key


def ask(client: "MlflowClient", record: SkillRecord) -> Observed:
    """What the registry holds for a skill, through MLflow's client."""
    experiment = client.get_experiment_by_name(record.experiment)
    run_id = None
    if experiment is not None and experiment.lifecycle_stage == "active":
        runs = client.search_runs(
            [experiment.experiment_id],
            f"tags.`{EVALUATE}` = '{record.lineage.evaluate.key}' and tags.`{KIND}` = '{RUN}' "
            "and attributes.status = 'FINISHED'",
            max_results=1,
        )
        run_id = runs[0].info.run_id if runs else None
    registered = client.search_registered_models(f"name = '{record.model}'", max_results=1)
    found = client.search_model_versions(f"name = '{record.model}'") if registered else []
    versions = (
        Version(str(version.version), dict(version.tags), version.run_id)
        for version in sorted(found, key=lambda version: int(version.version))
    )
    aliases = {alias: str(number) for alias, number in dict(registered[0].aliases).items()} if registered else {}
    return Observed(experiment.experiment_id if experiment else None, run_id, tuple(versions), aliases)


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
