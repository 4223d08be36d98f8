"""Registered heads in the store, by digest: they can be read without MLflow."""

from typing import Any

from coachworks.errors import DamagedError, NotFoundError
from coachworks.models.keys import head_key, head_manifest_key
from coachworks.results import jsonable
from coachworks.store import Store, read_record, write_record
from components.register.lineage import SkillRecord

_METRICS = ("balanced_accuracy", "macro_f1", "accuracy")


def save_head(store: Store, record: SkillRecord) -> None:
    """Publish the winner's head and its manifest, before a model version names them; damaged ones are replaced.

    The manifest is written last, so a stored manifest implies a stored head.

    Raises:
        DataError: the head in the result of evaluate is damaged.
    """
    digest = record.head_digest
    if head_is_intact(store, digest):
        return
    store.write_file(head_key(digest), record.head_file)
    write_record(store, head_manifest_key(digest), manifest(record))


def head_is_intact(store: Store, digest: str) -> bool:
    """Return whether the store holds a head and its manifest as they were written."""
    try:
        store.fetch(head_key(digest))
        read_record(store, head_manifest_key(digest))
    except (NotFoundError, DamagedError):
        return False
    return True


def manifest(record: SkillRecord) -> dict[str, Any]:
    """Describe a head as JSON values: what it answers, its origin and its metrics."""
    evaluated = record.evaluated
    return {
        "skill": record.name,
        "question": record.skill.question,
        "labels": list(evaluated.labels),
        "kind": evaluated.winner,
        "temperature": evaluated.temperature,
        "backbone": record.backbone.backbone,
        "backbone_digest": record.backbone.backbone_digest,
        "groups": list(record.trained.winner_groups),
        "metrics": {
            **{name: jsonable(getattr(evaluated, name)) for name in _METRICS},
            "expected_calibration_error": evaluated.ece_after,
            "test_photos": evaluated.photos,
            "test_sets": evaluated.sets,
        },
        "data_digest": record.data_digest,
        "evaluate": record.lineage.evaluate.key,
        "provenance": record.provenance,
        "code_version": record.provenance["code"],
        "created_at": record.lineage.evaluate.created_at,
    }
