"""Model versions and their aliases: registered once, compared once, promoted in one call.

The order of the calls is the safeguard. After a kill between any two of them the registry is valid, the champion is a
version that passed its gates, and the next attempt continues where this one stopped:

1. create the version, with the tags by which it is found again, in one call;
2. set the alias `challenger` on it;
3. store the comparison as tags, while the old champion keeps its alias;
4. set the alias `champion` in one call, if it won, while no other registration does (`promotion`);
5. set the tag `coachworks.judged`: the version is complete.
"""

import json
from dataclasses import asdict

from coachworks.bootstrap import UNKNOWN
from coachworks.context import Context
from coachworks.digests import digest_file
from coachworks.models.comparison import Comparison
from coachworks.tracking import CHALLENGER, CHAMPION, ConcurrentChangeError, TrackingClient, retry_transient
from coachworks.tracking.registry import Version, read_model
from coachworks.tracking.tags import (
    BALANCED_ACCURACY,
    COMPARISON,
    EVALUATE,
    HEAD_DIGEST,
    JUDGED,
    PREDICTIONS_DIGEST,
    REASON,
)
from components.register import descriptions
from components.register.champion_answers import champion_answers
from components.register.comparison import AnsweredPhotos, compare
from components.register.config import RegisterConfig
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER
from components.register.promotion import sole_promotion
from components.register.registry_state import RegistryState, of_evaluation
from components.register.runs import log_comparison


def ensure_version(client: TrackingClient, record: SkillRecord, state: RegistryState, run_id: str) -> Version:
    """Return the version of this evaluation, after creating it if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(record.model, tags={"fleet": record.lineage.fleet.name, "skill": record.name})
    except MlflowException as err:
        if err.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.update_registered_model(record.model, descriptions.describe_model(record))
    own = state.version_of(record)
    if own is not None and not state.duplicates:
        return own
    return retry_transient(client, lambda: _create_version(client, record, run_id))


def _create_version(client: TrackingClient, record: SkillRecord, run_id: str) -> Version:
    """Create the version of this evaluation and delete all but one of it.

    It may exist already: from a concurrent registration, or from a request whose reply was lost.
    """
    if not _own_versions(client, record):
        client.create_model_version(
            record.model,
            source=f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}",
            run_id=run_id,
            tags={
                **record.provenance,
                **record.pipeline_tags,
                EVALUATE: record.lineage.evaluate.key,
                HEAD_DIGEST: record.head_digest,
                PREDICTIONS_DIGEST: digest_file(record.folder / "predictions.parquet"),
                BALANCED_ACCURACY: str((record.evaluated.balanced_accuracy or UNKNOWN).value),
            },
            description=descriptions.describe_version(record, None, "Not yet compared with the champion."),
        )
    valid, *duplicates = _own_versions(client, record)
    for version in duplicates:
        _delete_version(client, record, version)
    return valid


def _own_versions(client: TrackingClient, record: SkillRecord) -> list[Version]:
    model = read_model(client, record.model)
    return of_evaluation(model.versions.values(), record) if model else []


def _delete_version(client: TrackingClient, record: SkillRecord, version: Version) -> None:
    """Delete a version, unless a concurrent registration did."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_model_version(record.model, version.number)
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def assign_alias(
    client: TrackingClient,
    context: Context,
    record: SkillRecord,
    state: RegistryState,
    own: Version,
    config: RegisterConfig,
) -> None:
    """Compare a version with the champion and give it the alias `champion` or `challenger`.

    Args:
        client: MLflow's client.
        context: The surroundings of the task.
        record: The skill.
        state: State of the registry before; its champion is the one to beat.
        own: The version to compare.
        config: Conditions for a challenger to win.
    """
    champion = state.champion
    if champion is None:
        _promote(client, record, own, None, "The first version to pass its gates.", None)
    elif champion.number == own.number:  # killed after the promotion
        _finish(client, record, own, CHAMPION)
    else:
        client.set_registered_model_alias(record.model, CHALLENGER, own.number)
        comparison, obstacle = _compare(client, context, record, champion, config)
        if comparison is not None:
            _record_comparison(client, record, own, comparison)
        if comparison is not None and wins(comparison, config):
            _promote(client, record, own, comparison, f"Took over from version {champion.number}.", champion)
            return
        note = obstacle or (
            f"Version {champion.number} stays the champion: to take over, a challenger must be better in "
            f"{config.min_probability_better:.0%} of the bootstrap replicates."
        )
        client.update_model_version(record.model, own.number, descriptions.describe_version(record, comparison, note))
        client.set_model_version_tag(record.model, own.number, REASON, note)
        _finish(client, record, own, CHALLENGER)


def wins(comparison: Comparison, config: RegisterConfig) -> bool:
    """Return whether a challenger takes over: better on the same photos, and in enough of the bootstrap replicates."""
    return comparison.difference > 0 and comparison.probability_better >= config.min_probability_better


def _compare(
    client: TrackingClient, context: Context, record: SkillRecord, champion: Version, config: RegisterConfig
) -> tuple[Comparison | None, str]:
    import pyarrow.parquet as pq

    rows = pq.read_table(
        record.folder / "predictions.parquet", columns=["photo_id", "set_id", "label", "predicted"]
    ).to_pylist()
    answers = champion_answers(client, context, record, champion, [row["photo_id"] for row in rows])
    common = [row for row in rows if row["photo_id"] in answers.by_photo]
    if not common:
        return None, (
            f"Version {champion.number} stays the champion: it reads another backbone and its recorded answers share "
            f"no photo with today's test split. Move the alias `{CHAMPION}` to this version in MLflow to prefer it."
        )
    comparison = compare(
        AnsweredPhotos(
            labels=[row["label"] for row in common],
            sets=[row["set_id"] for row in common],
            champion=[answers.by_photo[row["photo_id"]] for row in common],
            challenger=[row["predicted"] for row in common],
        ),
        champion_version=champion.number,
        basis=answers.basis,
        replicates=config.replicates,
        seed=config.seed,
    )
    return comparison, ""


def _record_comparison(client: TrackingClient, record: SkillRecord, own: Version, comparison: Comparison) -> None:
    client.set_model_version_tag(record.model, own.number, COMPARISON, json.dumps(asdict(comparison)))
    if own.run_id is not None:
        numbers = {
            "balanced_accuracy": comparison.champion,
            "difference": comparison.difference,
            "difference_low": comparison.low,
            "difference_high": comparison.high,
            "probability_better": comparison.probability_better,
        }
        log_comparison(client, own.run_id, numbers, record.evaluated_at_ms)


def _promote(
    client: TrackingClient,
    record: SkillRecord,
    own: Version,
    comparison: Comparison | None,
    note: str,
    beaten: Version | None,
) -> None:
    with sole_promotion(client, record.model):
        current = client.get_registered_model(record.model).aliases.get(CHAMPION)
        if current is not None and str(current) not in {own.number, beaten and beaten.number}:
            raise ConcurrentChangeError(
                f"version {current} of {record.model!r} became the champion while version {own.number} was being "
                "compared. Run again to compare it with the new champion."
            )
        client.update_model_version(record.model, own.number, descriptions.describe_version(record, comparison, note))
        client.set_model_version_tag(record.model, own.number, REASON, note)
        client.set_registered_model_alias(record.model, CHAMPION, own.number)
    _finish(client, record, own, CHAMPION)


def _finish(client: TrackingClient, record: SkillRecord, own: Version, alias: str) -> None:
    """Remove the alias `challenger` from a new champion, then mark the version as complete."""
    if alias == CHAMPION:
        aliases = client.get_registered_model(record.model).aliases
        if str(aliases.get(CHALLENGER)) == own.number:
            client.delete_registered_model_alias(record.model, CHALLENGER)
    client.set_model_version_tag(record.model, own.number, JUDGED, alias)
