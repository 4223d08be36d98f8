"""Runs in MLflow: one per evaluation and skill, with the runs of its candidates nested in it."""

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.bootstrap import UNKNOWN
from coachworks.results import jsonable
from coachworks.store import Store
from coachworks.tracking import VIEW, ConcurrentChangeError, Tracking, TrackingClient, retry_transient
from coachworks.tracking.tags import CANDIDATE, EVALUATE, KIND, RUN
from components.augment.report import AugmentReport
from components.register import descriptions, measures
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER, logged_models, write_model_folder
from components.register.registry_state import list_runs, valid_run
from components.split.report import SplitReport

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

_NOTE = "mlflow.note.content"
_PARENT = "mlflow.parentRunId"
_LOGGED_MODELS = "mlflow.log-model.history"
_KIND_OF_EXPERIMENT = ("mlflow.experimentKind", "custom_model_development")  # model training, no GenAI application
_PICTURES = ("confusion.png", "calibration.png", "mistakes.jpg", "right.jpg")
PREDICTIONS = "test/predictions.parquet"  # among a run's artifacts
# Columns of the table of runs, in the format of MLflow's button "Share"; its UI ignores unknown ones.
_VIEW_STATE = {
    "selectedColumns": list(measures.COLUMNS),
    "columnOrder": ["attributes.`Run Name`", *measures.COLUMNS],
    "columnWidths": {column: width for column, width in measures.COLUMNS.items() if width is not None},
}
_DATASET_DIGEST_LENGTH = 36  # MLflow's limit; a tag has the whole digest


def ensure_experiment(client: TrackingClient, tracking: Tracking, record: SkillRecord) -> str:
    """Return the id of the skill's experiment, after creating or restoring it if necessary."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(record.experiment)
    if experiment is None:
        try:
            experiment_id = client.create_experiment(
                record.experiment,
                artifact_location=tracking.artifact_location(record.experiment),
            )
        except MlflowException as err:
            if err.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return ensure_experiment(client, tracking, record)  # a concurrent lane created it
    else:
        experiment_id = experiment.experiment_id
        if experiment.lifecycle_stage != "active":
            client.restore_experiment(experiment_id)
    client.set_experiment_tag(experiment_id, *_KIND_OF_EXPERIMENT)  # experiments that were created by hand lack it
    client.set_experiment_tag(experiment_id, _NOTE, descriptions.describe_experiment(record, experiment_id))
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{VIEW}", json.dumps(_VIEW_STATE))
    return str(experiment_id)


def record_run(client: TrackingClient, store: Store, experiment_id: str, record: SkillRecord) -> str:
    """Record the evaluation as a run with its candidates nested in it.

    A run that a killed attempt or a lost reply left incomplete is completed: everything recorded follows from the
    evaluation, so recording it again changes nothing. The status FINISHED is set last, so a finished run is complete.

    Returns:
        Id of the run.
    """
    run_id = retry_transient(client, lambda: _ensure_run(client, experiment_id, record))
    for candidate in record.trained.candidates:
        nested = retry_transient(client, partial(_ensure_candidate, client, experiment_id, run_id, record, candidate))
        _log_candidate(client, nested, record, candidate)
    client.log_inputs(run_id, [_dataset(record)])
    at = record.evaluated_at_ms
    _log(client, run_id, measures.run_metrics(record), measures.run_params(record), at)
    with store.scratch() as folder:
        _copy_artifacts(record, run_id, folder)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            client.log_artifact(run_id, str(file), file.parent.relative_to(folder).as_posix())
    client.set_terminated(run_id, "FINISHED", end_time=at)
    return run_id


def _ensure_run(client: TrackingClient, experiment_id: str, record: SkillRecord) -> str:
    """Return the id of the run of this evaluation, after creating it if there is none."""
    usable = []
    for run in list_runs(client, experiment_id, record):
        if run.info.status == "FINISHED" or run.data.tags.get("code") == record.provenance["code"]:
            usable.append(run)
        else:  # another version of coachworks began it and may have recorded other values
            _delete(client, experiment_id, run.info.run_id)
    valid = valid_run(usable)
    if valid is not None:
        return str(valid.info.run_id)
    created = client.create_run(
        experiment_id,
        start_time=record.training_started_at_ms,
        run_name=run_name(record),
        tags=_tags(record, RUN, descriptions.describe_run(record)) | _outcome(client, record),
    )
    valid = valid_run([*list_runs(client, experiment_id, record), created])
    return str((valid or created).info.run_id)


def _ensure_candidate(
    client: TrackingClient, experiment_id: str, parent: str, record: SkillRecord, candidate: str
) -> str:
    """Return the id of a candidate's run, after creating it if there is none."""
    valid = valid_run(_nested(client, experiment_id, parent).get(candidate, ()))
    if valid is not None:
        return str(valid.info.run_id)
    tags = _tags(record, CANDIDATE, descriptions.describe_candidate(record, candidate))
    won = candidate == record.trained.winner
    created = client.create_run(
        experiment_id,
        start_time=record.training_started_at_ms,
        run_name=candidate,
        tags={**tags, _PARENT: parent, "selected": "yes" if won else "no"},
    )
    return str(created.info.run_id)


def remove_duplicates(client: TrackingClient, experiment_id: str, record: SkillRecord, preferred: str | None) -> None:
    """Delete all but one run of this evaluation and, nested in it, all but one run of each candidate.

    Concurrent registrations, and requests that were executed although their replies were lost, create duplicates.

    Args:
        client: MLflow's client.
        experiment_id: The skill's experiment.
        record: The skill.
        preferred: The run of the version, if there is one.

    Raises:
        ConcurrentChangeError: the run to keep is that of a concurrent registration, and not finished.
    """
    runs = list_runs(client, experiment_id, record)
    valid = valid_run(runs, preferred)
    if valid is None or valid.info.status != "FINISHED":
        raise ConcurrentChangeError(
            f"another process is recording this evaluation of {record.name!r}. Run again in a moment."
        )
    for candidate, nested in _nested(client, experiment_id, valid.info.run_id).items():
        kept = valid_run(nested)
        if kept is not None and kept.info.status != "FINISHED":
            _log_candidate(client, kept.info.run_id, record, candidate)
        for run in nested:
            if run is not kept:
                client.delete_run(run.info.run_id)
    for run in runs:
        if run is not valid:
            _delete(client, experiment_id, run.info.run_id)


def _nested(client: TrackingClient, experiment_id: str, parent: str) -> dict[str, list["Run"]]:
    """Runs nested in `parent`, by candidate."""
    runs = defaultdict(list)
    for run in client.search_runs([experiment_id], f"tags.`{_PARENT}` = '{parent}'"):
        runs[str(run.info.run_name)].append(run)
    return runs


def _delete(client: TrackingClient, experiment_id: str, run_id: str) -> None:
    for runs in _nested(client, experiment_id, run_id).values():
        for nested in runs:
            client.delete_run(nested.info.run_id)
    client.delete_run(run_id)


def run_name(record: SkillRecord) -> str:
    """Name of the run in lists and legends: the winner and its balanced accuracy."""
    measured = record.evaluated.balanced_accuracy or UNKNOWN
    return f"{record.evaluated.winner}{'' if math.isnan(measured.value) else f' {measured.value:.1%}'}"


def log_comparison(client: TrackingClient, run_id: str, metrics: Mapping[str, float], at_ms: int) -> None:
    """Log the comparison with the champion as metrics of a run."""
    _log(client, run_id, {f"test_vs_champion/{name}": round(value, 4) for name, value in metrics.items()}, {}, at_ms)


def _log_candidate(client: TrackingClient, run_id: str, record: SkillRecord, candidate: str) -> None:
    _log(
        client,
        run_id,
        measures.candidate_metrics(record, candidate),
        measures.candidate_params(record, candidate),
        record.evaluated_at_ms,
    )
    seconds = record.trained.candidates[candidate].seconds or 0
    client.set_terminated(run_id, "FINISHED", end_time=record.training_started_at_ms + int(seconds * 1000))


def _log(
    client: TrackingClient, run_id: str, metrics: Mapping[str, float], params: Mapping[str, str], at_ms: int
) -> None:
    from mlflow.entities import Metric, Param

    numbers: list[Metric] = [Metric(name, value, at_ms, 0) for name, value in metrics.items()]
    texts = [Param(name, value) for name, value in params.items()]
    client.log_batch(run_id, metrics=numbers, params=texts)


def _tags(record: SkillRecord, kind: str, note: str) -> dict[str, str]:
    commit = record.lineage.commit
    return {
        **record.provenance,
        **record.pipeline_tags,
        EVALUATE: record.lineage.evaluate.key,
        KIND: kind,
        _NOTE: note,
        "mlflow.source.name": "coachworks",
        "mlflow.source.type": "LOCAL",
        **({"mlflow.source.git.commit": commit} if commit else {}),
    }


def _outcome(client: TrackingClient, record: SkillRecord) -> dict[str, str]:
    """Tags of a run, not of its candidates: whether it passed its gates, and its model if it did."""
    tags: dict[str, str] = {"gates": record.evaluated.status}
    if record.evaluated.status == "passed":
        experiment = client.get_experiment_by_name(record.experiment)
        tags[_LOGGED_MODELS] = logged_models(record, experiment.artifact_location if experiment else "")
    return tags


def _dataset(record: SkillRecord) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    split = record.lineage.result(SplitReport)
    dataset = Dataset(
        name=record.experiment,
        digest=record.data_digest[:_DATASET_DIGEST_LENGTH],
        source_type="coachworks",
        source=json.dumps({"result": f"results/split/{split.key}/labels.parquet"}),
        profile=json.dumps({"photos": record.trained.photos, "labels": split.report.skills.get(record.name, {})}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train, validation, test")])


def _copy_artifacts(record: SkillRecord, run_id: str, folder: Path) -> None:
    """Copy the run's artifacts into a folder."""
    for name in ("pictures", "report", "test", "training"):
        (folder / name).mkdir()
    for path, source in _artifacts(record):
        shutil.copyfile(source, folder / path)
    candidates = json.dumps(jsonable(record.trained), indent=1, ensure_ascii=False)
    (folder / "report" / "candidates.json").write_text(candidates, "utf-8")
    if record.evaluated.status == "passed":
        (folder / FOLDER).mkdir()
        write_model_folder(record, run_id, folder / FOLDER)


def _artifacts(record: SkillRecord) -> Iterator[tuple[str, Path]]:
    """Path among the artifacts, and the file, of each artifact that exists."""
    evaluate = record.lineage.evaluate.path
    artifacts: list[tuple[str, Path]] = [(f"pictures/{name}", record.folder / name) for name in _PICTURES]
    artifacts += [("report/page.html", evaluate / "page.html"), (PREDICTIONS, record.folder / "predictions.parquet")]
    artifacts += [("training/policy.json", record.lineage.result(AugmentReport).path / "policy.json")]
    return ((path, source) for path, source in artifacts if source.exists())
