"""Heads of versions in the store: compared with their digests, and restored from their evaluation or from MLflow."""

import json
from collections.abc import Callable
from pathlib import Path

from coachworks.context import Context
from coachworks.digests import digest_file
from coachworks.errors import CoachworksError, DataError, InvalidConfigError, NotFoundError, TransientError
from coachworks.models.keys import head_key, head_manifest_key
from coachworks.results import load
from coachworks.store import Store, write_record
from coachworks.store.seal import unsealed
from coachworks.tracking import CHAMPION, Tracking, TrackingClient, translated
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import EVALUATE, HEAD_DIGEST
from coachworks.wording import pipeline_command
from components.evaluate.report import EvaluateReport
from components.register.head_store import head_is_intact, save_head
from components.register.lineage import Lineage, SkillRecord
from components.register.model_folder import FOLDER, HEAD_FILE, MANIFEST_FILE


def ensure_head(
    context: Context, open_registry: Callable[[], TrackingClient], record: SkillRecord, version: Version
) -> Path:
    """Return the path of a version's head, after restoring it in the store if it is missing or damaged there.

    It is taken from the result of its evaluation, else from the artifacts of its run: it may come from another store.

    Args:
        context: The surroundings of the task.
        open_registry: Returns MLflow's client; called only if a head has to be restored.
        record: The skill.
        version: The version, usually the champion.

    Raises:
        DataError: the head is damaged or missing wherever it should be.
        TransientError: the tracking server does not answer.
        InvalidConfigError: it refuses access.
    """
    store, digest = context.store, version.tags[HEAD_DIGEST]
    if not head_is_intact(store, digest):
        try:
            save_head(store, _evaluated(store, record, version))
        except (NotFoundError, DataError):
            try:
                with translated(context.tracking):
                    _restore(open_registry(), store, version)
            except (TransientError, InvalidConfigError):
                raise
            except (CoachworksError, OSError) as err:
                raise _lost(context.tracking, store, record, version, str(err)) from err
    return store.fetch(head_key(digest))


def download_artifact(client: TrackingClient, version: Version, path: str, folder: Path) -> Path:
    """Download an artifact of a version's run.

    Raises:
        NotFoundError: the version has no run.
    """
    if version.run_id is None:
        raise NotFoundError(f"version {version.number} has no run that could hold {path!r}")
    return Path(client.download_artifacts(version.run_id, path, str(folder)))


def _evaluated(store: Store, record: SkillRecord, version: Version) -> SkillRecord:
    """Return the skill's part of the evaluation that a version comes from."""
    key = version.tags.get(EVALUATE, "unknown")
    if key == record.lineage.evaluate.key:
        return record
    own = Lineage(record.lineage.fleet, store, load(store, EvaluateReport, key), None).skill(record.name)
    if own.evaluated.head_digest != version.tags[HEAD_DIGEST]:  # the skill had another name then
        raise NotFoundError(f"the result evaluate/{key} has no such head of {record.name!r}")
    return own


def _restore(client: TrackingClient, store: Store, version: Version) -> None:
    digest = version.tags[HEAD_DIGEST]
    with store.scratch() as folder:
        head = download_artifact(client, version, f"{FOLDER}/{HEAD_FILE}", folder)
        if (actual := digest_file(head)) != digest:
            raise DataError(f"the SHA-256 of the artifact {FOLDER}/{HEAD_FILE} must be {digest}; got {actual}")
        described = download_artifact(client, version, f"{FOLDER}/{MANIFEST_FILE}", folder)
        manifest = json.loads(unsealed(described.read_bytes()))
        store.write_file(head_key(digest), head)
        write_record(store, head_manifest_key(digest), manifest)


def _lost(tracking: Tracking, store: Store, record: SkillRecord, version: Version, problem: str) -> DataError:
    code = (
        f"from mlflow import MlflowClient; MlflowClient({tracking.uri!r})"
        f".delete_registered_model_alias({record.model!r}, {CHAMPION!r})"
    )
    return DataError(
        f"the head of version {version.number} of {record.model!r}, {head_key(version.tags[HEAD_DIGEST])} of the store "
        f"{store.uri}, is damaged or missing, in the result of its evaluation and in MLflow too: {problem}. Take the "
        f'alias from the version with `python -c "{code}"`; then {pipeline_command(store.uri)} makes the version of '
        "this evaluation the champion."
    )
