"""Metrics and parameters of a run; all candidates have the same names, so that runs can be compared.

MLflow's charts group metrics by the part before the slash, in alphabetical order, so all metrics of the
test split begin with `test`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from coachworks.bootstrap import UNKNOWN, Interval
from coachworks.feature_groups import total
from components.register.lineage import SkillRecord

TEST = "test/balanced_accuracy"
VALIDATION = "validation/balanced_accuracy"
# Columns of the table of runs, with the width, in px, of those whose header or content does not fit MLflow's own.
COLUMNS: Mapping[str, int | None] = {
    f"metrics.`{TEST}`": 190,
    "params.`candidate`": 110,
    "tags.`gates`": 80,
    "attributes.`Models`": 240,
    f"metrics.`{VALIDATION}`": 220,
    "metrics.`test_vs_champion/difference`": 240,
    "metrics.`test_calibration/expected_error_after`": None,
    "params.`settings`": None,
    "attributes.`Created`": None,
}

_INTERVALS = ("balanced_accuracy", "macro_f1", "accuracy")


def run_metrics(record: SkillRecord) -> dict[str, float]:
    """Metrics of a run: the winner on the test split, with the ends of its 95 % intervals, and on validation."""
    evaluated = record.evaluated
    metrics: dict[str, Any] = {}
    for name in _INTERVALS:
        metrics |= _interval(f"test/{name}", getattr(evaluated, name) or UNKNOWN)
    metrics |= {
        "test_calibration/log_loss": evaluated.log_loss,
        "test/photos": evaluated.photos,
        "test/sets": evaluated.sets,
        "test_calibration/expected_error_before": evaluated.ece_before,
        "test_calibration/expected_error_after": evaluated.ece_after,
        "test_calibration/temperature": evaluated.temperature,
        "test_mistakes/sensible": evaluated.sensible_mistakes,
        "test_mistakes/silly": evaluated.silly_mistakes,
    }
    names = metric_names(evaluated.labels)
    for label, measured in (evaluated.per_label or {}).items():
        metrics[f"test_recall/{names[label]}"] = measured.recall.value
        metrics[f"test_precision/{names[label]}"] = measured.precision.value
    metrics |= _out_of_fold(record) | _imbalance(record) | _label_noise(record)
    return _numbers(metrics) | candidate_metrics(record, str(evaluated.winner))


def _out_of_fold(record: SkillRecord) -> dict[str, Any]:
    """Log loss of the winner's out-of-fold answers, as they are and with its calibration."""
    calibration = record.trained.calibration
    if calibration is None:
        return {}
    return {
        "out_of_fold/photos": calibration.photos,
        "out_of_fold/log_loss_before": calibration.log_loss.get("none"),
        "out_of_fold/log_loss_after": calibration.log_loss.get(calibration.method),
    }


def _imbalance(record: SkillRecord) -> dict[str, Any]:
    """Balanced accuracy in folds of every policy against imbalance that competed, and the error of its difference."""
    metrics: dict[str, Any] = {}
    for trial in record.trained.imbalance.trials if record.trained.imbalance else ():
        metrics[f"imbalance/balanced_accuracy_{trial.policy}"] = trial.balanced_accuracy
        metrics[f"imbalance/standard_error_{trial.policy}"] = trial.standard_error
    return metrics


def _label_noise(record: SkillRecord) -> dict[str, Any]:
    """Estimated share of wrong labels among training and validation photos, and the number of suspicious ones."""
    noise = record.trained.label_noise
    if noise is None:
        return {}
    counts = {"label_noise/photos": noise.photos, "label_noise/suspicious": noise.suspicious}
    return _interval("label_noise/level", noise.level) | counts


def candidate_metrics(record: SkillRecord, candidate: str) -> dict[str, float]:
    """Metrics of one candidate: on validation, and its cost."""
    trained = record.trained.candidates[candidate]
    return _numbers(
        {
            VALIDATION: trained.validation_balanced_accuracy,
            "validation/standard_error": trained.standard_error,
            "training/complexity": trained.complexity,
            "training/seconds": trained.seconds,
        }
    )


def run_params(record: SkillRecord) -> dict[str, str]:
    """Parameters of a run: those of its winner, the method of its calibration, and the limits of its gates."""
    gates = {f"gate.{gate.gate}": _text(gate.limit) for gate in record.evaluated.gates}
    calibration = record.trained.calibration
    noise = record.trained.label_noise
    chosen: dict[str, str] = {"calibration": calibration.method} if calibration else {}
    chosen |= {"noise_loss": noise.loss or "none"} if noise else {}
    return candidate_params(record, str(record.evaluated.winner)) | chosen | gates


def candidate_params(record: SkillRecord, candidate: str) -> dict[str, str]:
    """Parameters of one candidate: what all share, then its own."""
    trained, backbone = record.trained, record.backbone
    shared = {
        "candidate": candidate,
        "backbone": backbone.backbone,
        "backbone_digest": backbone.backbone_digest[:12],
        "features": total(backbone.group_sizes, trained.feature_groups),
        "feature_groups": " + ".join(trained.feature_groups),
        "imbalance_policy": trained.imbalance.policy if trained.imbalance else None,
        "augmented_views": backbone.views,
        "policy_digest": str(record.provenance.get("policy", ""))[:12],
        "labels": len(record.evaluated.labels),
        **{f"{split}_photos": count for split, count in trained.photos.items()},
    }
    settings = trained.candidates[candidate].parameters
    text = ", ".join(f"{name}={_text(value)}" for name, value in settings.items())
    return {
        # One parameter for all settings of a candidate, because each kind has different ones. The kind comes first,
        # since plots cut the text after ten letters.
        "settings": f"{candidate}: {text}" if text else candidate,
        **{name: _text(value) for name, value in shared.items() if value is not None},
    }


def metric_names(labels: Sequence[str]) -> dict[str, str]:
    """Metric name of each label; MLflow allows letters, digits, `_`, `-`, `.` and spaces.

    >>> metric_names(["close-up", "R&D", "R/D"])
    {'close-up': 'close-up', 'R&D': 'R_D', 'R/D': 'R_D 2'}
    """
    names: dict[str, str] = {}
    for label in labels:
        clean = re.sub(r"[^\w.\- ]|^\.+$", "_", label)[:200].strip() or "_"
        name, number = clean, 1
        while name in names.values():
            number += 1
            name = f"{clean} {number}"
        names[label] = name
    return names


def _interval(name: str, measured: Interval) -> dict[str, float]:
    return {name: measured.value, f"{name}_low": measured.low, f"{name}_high": measured.high}


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Drop missing values and round the others to four digits."""
    measured = {name: float(value) for name, value in metrics.items() if value is not None}
    return {name: round(value, 4) for name, value in measured.items() if not math.isnan(value)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
