"""Where a skill stands, read from what the registry holds."""

import json

from coachworks.models.comparison import Comparison
from coachworks.tracking import CHAMPION
from coachworks.tracking.registry import Version
from coachworks.tracking.tags import BALANCED_ACCURACY, COMPARISON, HEAD_DIGEST, JUDGED, REASON
from components.register import descriptions
from components.register.lineage import SkillRecord
from components.register.registry_state import Observed, unchanged
from components.register.report import Registration, Status


def standing(record: SkillRecord, seen: Observed) -> Registration:
    """A skill's place in the registry. The head to serve is the champion's, also where this evaluation failed."""
    champion, evaluated = seen.champion, record.evaluated
    if evaluated["status"] != "passed" or champion is None:
        return Registration(
            status="not-registered",
            reason=descriptions.why_not_registered(evaluated),
            model=record.model,
            run_id=seen.run_id,
            experiment_id=seen.experiment_id,
            champion_version=champion.number if champion else None,
            champion_metric=_metric(champion),
            head_digest=champion.tags.get(HEAD_DIGEST) if champion else None,
            candidate_head_digest=evaluated.get("head_digest"),
        )
    own = champion if unchanged(record, champion) else seen.of(record) or champion
    comparison = _comparison(own)
    beaten = seen.version(comparison.champion_version) if comparison else None
    status, reason = _status(record, champion, own, comparison)
    champion_metric, challenger_metric = _metrics(champion, own, comparison)
    return Registration(
        status=status,
        reason=reason,
        model=record.model,
        version=own.number,
        run_id=own.run_id,
        experiment_id=seen.experiment_id,
        compared_run_id=beaten.run_id if beaten is not None and beaten.number != own.number else None,
        champion_version=champion.number,
        champion_metric=champion_metric,
        challenger_metric=challenger_metric,
        head_digest=champion.tags.get(HEAD_DIGEST),
        candidate_head_digest=record.head_digest,
    )


def _status(record: SkillRecord, champion: Version, own: Version, comparison: Comparison | None) -> tuple[Status, str]:
    told = ". ".join(filter(None, [own.tags.get(REASON, "").rstrip("."), comparison.sentence() if comparison else ""]))
    if unchanged(record, champion):
        return "unchanged", f"version {champion.number} holds the very same head"
    if own.number == champion.number:
        return "champion", told
    if own.tags.get(JUDGED) == CHAMPION:
        return "challenger", f"version {champion.number} was made the champion in its place"
    return "challenger", told


def _metrics(champion: Version, own: Version, comparison: Comparison | None) -> tuple[float | None, float | None]:
    """Balanced accuracy of the champion and of the version it was compared with, on the same photos where it was."""
    if comparison is not None and own.number == champion.number:
        return comparison.challenger, comparison.champion
    if comparison is not None and comparison.champion_version == champion.number:
        return comparison.champion, comparison.challenger
    return _metric(champion), None if own.number == champion.number else _metric(own)


def _metric(version: Version | None) -> float | None:
    value = version and version.tags.get(BALANCED_ACCURACY)
    return float(value) if value else None


def _comparison(version: Version) -> Comparison | None:
    told = version.tags.get(COMPARISON)
    return Comparison(**json.loads(told)) if told else None
