"""A skill's registration, derived from the state of the registry."""

import json

from coachworks.models.comparison import Comparison
from coachworks.tracking import CHAMPION
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import BALANCED_ACCURACY, COMPARISON, HEAD_DIGEST, JUDGED, REASON
from components.register import descriptions
from components.register.lineage import SkillRecord
from components.register.registry_state import RegistryState, is_unchanged
from components.register.report import Registration, Status


def registration_of(record: SkillRecord, state: RegistryState) -> Registration:
    """Return a skill's registration; its head is the champion's, also if this evaluation failed."""
    champion, evaluated = state.champion, record.evaluated
    if evaluated.status != "passed" or champion is None:
        return Registration(
            status="not-registered",
            reason=descriptions.why_not_registered(evaluated),
            model=record.model,
            run_id=state.run_id,
            experiment_id=state.experiment_id,
            champion_version=champion.number if champion else None,
            champion_metric=_metric(champion),
            head_digest=champion.tags.get(HEAD_DIGEST) if champion else None,
            candidate_head_digest=evaluated.head_digest,
        )
    own = champion if is_unchanged(record, champion) else state.version_of(record) or champion
    comparison = _comparison(own)
    beaten = state.version(comparison.champion_version) if comparison else None
    status, reason = _status(record, champion, own, comparison)
    champion_metric, challenger_metric = _metrics(champion, own, comparison)
    return Registration(
        status=status,
        reason=reason,
        model=record.model,
        version=own.number,
        run_id=own.run_id,
        experiment_id=state.experiment_id,
        compared_run_id=beaten.run_id if beaten is not None and beaten.number != own.number else None,
        champion_version=champion.number,
        champion_metric=champion_metric,
        challenger_metric=challenger_metric,
        probability_better=comparison.probability_better if comparison and challenger_metric is not None else None,
        head_digest=champion.tags.get(HEAD_DIGEST),
        candidate_head_digest=record.head_digest,
    )


def _status(record: SkillRecord, champion: Version, own: Version, comparison: Comparison | None) -> tuple[Status, str]:
    compared = comparison.sentence() if comparison else ""
    sentences = [own.tags.get(REASON, "").rstrip("."), f"{compared[:1].upper()}{compared[1:]}"]
    reason = ". ".join(filter(None, sentences))
    if is_unchanged(record, champion):
        return "unchanged", f"version {champion.number} has the same head"
    if own.number == champion.number:
        return "champion", reason
    if own.tags.get(JUDGED) == CHAMPION:
        return "challenger", f"version {champion.number} became the champion later"
    return "challenger", reason


def _metrics(champion: Version, own: Version, comparison: Comparison | None) -> tuple[float | None, float | None]:
    """Balanced accuracy of the champion and, on the same photos if it was compared with it, of the other version."""
    if comparison is not None and own.number == champion.number:
        return comparison.challenger, comparison.champion
    if comparison is not None and comparison.champion_version == champion.number:
        return comparison.champion, comparison.challenger
    return _metric(champion), None


def _metric(version: Version | None) -> float | None:
    value = version and version.tags.get(BALANCED_ACCURACY)
    return float(value) if value else None


def _comparison(version: Version) -> Comparison | None:
    document = version.tags.get(COMPARISON)
    return Comparison(**json.loads(document)) if document else None
