"""Model versions and their aliases: registered once, judged once, promoted in one call.

The order of the calls is the safeguard. Killed between any two of them, the registry is valid, the champion is a
version that passed its gates, and the next attempt goes on where this one stopped:

1. the version, with the tags by which it is found again, in one call;
2. the alias `challenger` on it;
3. the comparison, as tags, while the old champion is served;
4. the alias `champion`, in one call, if it won;
5. the tag `coachworks.judged`: nothing is left to do.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from coachworks.models.comparison import Comparison
from coachworks.store import Store
from coachworks.tracking import CHALLENGER, CHAMPION, OvertakenError, patiently
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import BALANCED_ACCURACY, COMPARISON, EVALUATE, HEAD_DIGEST, JUDGED, REASON
from components.register import descriptions
from components.register.champion_answers import champion_answers
from components.register.comparison import AnsweredPhotos, compare
from components.register.config import RegisterConfig
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER
from components.register.registry_state import Observed, list_versions, of_evaluation
from components.register.runs import log_comparison

if TYPE_CHECKING:
    from mlflow import MlflowClient


def ensure_version(client: "MlflowClient", record: SkillRecord, seen: Observed, run_id: str) -> Version:
    """The version of this evaluation; created where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(record.model, tags={"fleet": record.lineage.fleet.name, "skill": record.name})
    except MlflowException as err:
        if err.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.update_registered_model(record.model, descriptions.describe_model(record))
    own = seen.of(record)
    return own if own is not None and not seen.strays else patiently(client, lambda: _one(client, record, run_id))


def _one(client: "MlflowClient", record: SkillRecord, run_id: str) -> Version:
    """The one version of this evaluation; somebody else, or a request whose reply was lost, may have made it."""
    if not of_evaluation(list_versions(client, record), record):
        client.create_model_version(
            record.model,
            source=f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}",
            run_id=run_id,
            tags={
                **record.provenance,
                **record.way_back,
                EVALUATE: record.lineage.evaluate.key,
                HEAD_DIGEST: record.head_digest,
                BALANCED_ACCURACY: str(record.evaluated["balanced_accuracy"]["value"]),
            },
            description=descriptions.describe_version(record, None, "Not yet compared with the champion."),
        )
    valid, *more = of_evaluation(list_versions(client, record), record)
    for version in more:
        _drop(client, record, version)
    return valid


def _drop(client: "MlflowClient", record: SkillRecord, version: Version) -> None:
    """Delete a second version of one evaluation, unless somebody else did."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_model_version(record.model, version.number)
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def judge(
    client: "MlflowClient",
    store: Store,
    record: SkillRecord,
    seen: Observed,
    own: Version,
    config: RegisterConfig,
) -> None:
    """Give a version the alias that it deserves.

    Args:
        client: MLflow's client.
        store: Where features and heads are.
        record: The skill.
        seen: What the registry held before; its champion is the one to beat.
        own: The version to judge.
        config: When a challenger wins.
    """
    champion = seen.champion
    if champion is None:
        _promote(client, record, own, None, "The first version to pass its gates.", None)
    elif champion.number == own.number:  # killed after the promotion
        _finish(client, record, own, CHAMPION)
    else:
        client.set_registered_model_alias(record.model, CHALLENGER, own.number)
        comparison, obstacle = _compare(client, store, record, champion, config)
        if comparison is not None:
            _record_comparison(client, record, own, comparison)
        if comparison is not None and wins(comparison, config):
            _promote(client, record, own, comparison, f"Took over from version {champion.number}.", champion)
            return
        note = obstacle or (
            f"Version {champion.number} stays the champion: to take over, a challenger must be better in "
            f"{config.min_probability_better:.0%} of the resamples."
        )
        client.update_model_version(record.model, own.number, descriptions.describe_version(record, comparison, note))
        client.set_model_version_tag(record.model, own.number, REASON, note)
        _finish(client, record, own, CHALLENGER)


def wins(comparison: Comparison, config: RegisterConfig) -> bool:
    """Whether a challenger takes over: higher on the same photos, and in enough of the resamples. A tie is no win."""
    return comparison.difference > 0 and comparison.probability_better >= config.min_probability_better


def _compare(
    client: "MlflowClient", store: Store, record: SkillRecord, champion: Version, config: RegisterConfig
) -> tuple[Comparison | None, str]:
    import pyarrow.parquet as pq

    rows = pq.read_table(
        record.folder / "predictions.parquet", columns=["photo_id", "set_id", "label", "predicted"]
    ).to_pylist()
    answers = champion_answers(client, store, record, champion, [row["photo_id"] for row in rows])
    common = [row for row in rows if row["photo_id"] in answers.by_photo]
    if not common:
        return None, (
            f"Version {champion.number} stays the champion: it reads another backbone and its recorded answers share "
            f"no photo with today's test split. Move the alias `{CHAMPION}` in MLflow if this version shall be served."
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
        replicates=config.resamples,
        seed=config.seed,
    )
    return comparison, ""


def _record_comparison(client: "MlflowClient", record: SkillRecord, own: Version, comparison: Comparison) -> None:
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
    client: "MlflowClient",
    record: SkillRecord,
    own: Version,
    comparison: Comparison | None,
    note: str,
    beaten: Version | None,
) -> None:
    client.update_model_version(record.model, own.number, descriptions.describe_version(record, comparison, note))
    client.set_model_version_tag(record.model, own.number, REASON, note)
    served = client.get_registered_model(record.model).aliases.get(CHAMPION)
    if served is not None and str(served) not in {own.number, beaten and beaten.number}:
        raise OvertakenError(
            f"version {served} of {record.model!r} became the champion while version {own.number} was being judged. "
            "Run again: it is compared with that one."
        )
    client.set_registered_model_alias(record.model, CHAMPION, own.number)
    _finish(client, record, own, CHAMPION)


def _finish(client: "MlflowClient", record: SkillRecord, own: Version, verdict: str) -> None:
    """Drop the alias `challenger` from a version that became champion, then mark the version as judged."""
    if verdict == CHAMPION:
        aliases = client.get_registered_model(record.model).aliases
        if str(aliases.get(CHALLENGER)) == own.number:
            client.delete_registered_model_alias(record.model, CHALLENGER)
    client.set_model_version_tag(record.model, own.number, JUDGED, verdict)
