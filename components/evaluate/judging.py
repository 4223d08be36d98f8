"""Evaluation of one skill: measure the winner on the test photos, write its files, reach its verdict."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import digest_file
from coachworks.models.head import Head
from components.evaluate.config import EvaluateConfig
from components.evaluate.contact_sheet import Tile, write_contact_sheet
from components.evaluate.examples import right_answers, similar_pairs, worst_mistakes
from components.evaluate.measure import Labelled, Measurement, measure
from components.evaluate.plots import draw_confusion, draw_reliability
from components.evaluate.report import LabelReport, Mistake, SkillReport
from components.evaluate.verdict import Criteria, LearntPhotos, Measured, Verdict, judge

if TYPE_CHECKING:
    from PIL import Image

_LISTED_MISTAKES = 50  # in the report

Array = NDArray[Any]
Thumbnail = Callable[[str], "Image.Image"]


def judge_skill(
    head: Head,
    test: Labelled,
    *,
    criteria: Criteria,
    learnt: LearntPhotos,
    config: EvaluateConfig,
    thumbnail: Thumbnail,
    folder: Path,
) -> SkillReport:
    """Measure the head, write the skill's files into `folder`, and compare with the gates.

    Args:
        head: The winner with its temperature.
        test: Test photos; without any, the skill is dropped.
        criteria: The gates, and the labels whose confusion is sensible.
        learnt: Number of photos that the head was fitted on.
        config: Settings.
        thumbnail: Function that returns the thumbnail of a photo id.
        folder: An existing, empty folder for the files.
    """
    if not len(test.answers):
        return SkillReport(
            status="dropped",
            reason="No test photo has one of its labels, so it cannot be evaluated. Label more sets of photos.",
            labels=head.labels,
        )
    measured = measure(head, test, config)
    pairs = similar_pairs(head.labels, criteria.similar)
    worst = worst_mistakes(test.answers, measured.predicted, measured.confidence, pairs)
    head.save(folder / "head.safetensors")
    _write_predictions(measured, test, head.labels, folder / "predictions.parquet")
    draw_confusion(measured.confusion, head.labels, folder / "confusion.png")
    draw_reliability(measured.before, measured.after, folder / "calibration.png")
    right = right_answers(test.answers, measured.predicted, measured.confidence, config.pictures)
    sheets = (
        ("mistakes.jpg", worst[: config.pictures], "No mistakes on the test photos."),
        ("right.jpg", right, "No right answers on the test photos."),
    )
    for name, photos, empty in sheets:
        tiles = [_tile(measured, test, head.labels, int(photo), thumbnail) for photo in photos]
        write_contact_sheet(tiles, folder / name, empty=empty)
    verdict = judge(
        criteria,
        Measured(
            labels=head.labels,
            confusion=measured.confusion,
            balanced_accuracy=measured.metrics["balanced_accuracy"][0],
            expected_calibration_error=measured.after.expected_error,
            learnt=learnt,
        ),
    )
    mistakes = [_mistake(measured, test, head.labels, int(photo), pairs) for photo in worst]
    report = _report(head, test, measured, verdict, mistakes)
    return replace(report, head_digest=digest_file(folder / "head.safetensors"))


def _report(
    head: Head, test: Labelled, measured: Measurement, verdict: Verdict, mistakes: Sequence[Mistake]
) -> SkillReport:
    metrics = measured.metrics
    sensible = sum(mistake.sensible for mistake in mistakes)
    return SkillReport(
        status=verdict.status,
        reason=verdict.reason,
        labels=head.labels,
        winner=head.kind,
        photos=len(test.answers),
        sets=len(np.unique(test.sets)),
        balanced_accuracy=metrics["balanced_accuracy"][0],
        macro_f1=metrics["macro_f1"][0],
        accuracy=metrics["accuracy"][0],
        per_label={
            label: LabelReport(
                precision=metrics["precision"][column],
                recall=metrics["recall"][column],
                f1=metrics["f1"][column],
                support=int(measured.confusion[column].sum()),
            )
            for column, label in enumerate(head.labels)
        },
        confusion=measured.confusion.tolist(),
        ece_before=measured.before.expected_error,
        ece_after=measured.after.expected_error,
        temperature=head.temperature,
        log_loss=measured.log_loss,
        sensible_mistakes=sensible,
        silly_mistakes=len(mistakes) - sensible,
        gates=verdict.gates,
        warnings=verdict.warnings,
        mistakes=mistakes[:_LISTED_MISTAKES],
    )


def _mistake(measured: Measurement, test: Labelled, labels: Sequence[str], photo: int, similar: Array) -> Mistake:
    answer, predicted = test.answers[photo], measured.predicted[photo]
    return Mistake(
        photo_id=test.photo_ids[photo],
        label=labels[answer],
        predicted=labels[predicted],
        confidence=float(measured.confidence[photo]),
        sensible=bool(similar[answer, predicted]),
    )


def _tile(measured: Measurement, test: Labelled, labels: Sequence[str], photo: int, thumbnail: Thumbnail) -> Tile:
    return Tile(
        thumbnail(test.photo_ids[photo]),
        labels[test.answers[photo]],
        labels[measured.predicted[photo]],
        float(measured.confidence[photo]),
    )


def _write_predictions(measured: Measurement, test: Labelled, labels: Sequence[str], path: Path) -> None:
    """Write the table of answers: photo_id, set_id, label, predicted, confidence, probabilities in label order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names: Any = np.array(labels, dtype=object)
    table = pa.table(
        {
            "photo_id": pa.array(list(test.photo_ids), pa.string()),
            "set_id": pa.array([str(name) for name in test.sets], pa.string()),
            "label": pa.array(names[test.answers], pa.string()),
            "predicted": pa.array(names[measured.predicted], pa.string()),
            "confidence": pa.array(measured.confidence.astype(np.float64), pa.float64()),
            "probabilities": pa.array(measured.probabilities.tolist(), pa.list_(pa.float64())),
        }
    )
    pq.write_table(table, path, compression="zstd")
