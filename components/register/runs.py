"""Runs in MLflow: one per pipeline run and skill, the candidates nested in it."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.store import Store
from coachworks.tracking import VIEW, OvertakenError, Tracking, patiently
from coachworks.tracking.tags import CANDIDATE, EVALUATE, KIND, RUN
from components.register import descriptions, measures
from components.register.lineage import SkillRecord
from components.register.model_folder import FOLDER, write_model_folder
from components.register.registry_state import list_runs, valid_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

_NOTE = "mlflow.note.content"
_PARENT = "mlflow.parentRunId"
_PICTURES = ("confusion.png", "calibration.png", "mistakes.jpg", "right.jpg")
PREDICTIONS = "test/predictions.parquet"  # among a run's artifacts
# The columns of the table of runs, as MLflow's button "Share" writes them; what its UI does not know, it ignores.
_VIEW_STATE = {"selectedColumns": measures.COLUMNS}
_DATASET_DIGEST_LENGTH = 36  # MLflow takes no longer one; the whole digest is a tag


def ensure_experiment(client: "MlflowClient", tracking: Tracking, record: SkillRecord) -> str:
    """Id of the skill's experiment; created where there is none, restored where somebody deleted it."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(record.experiment)
    if found is None:
        try:
            experiment_id = client.create_experiment(
                record.experiment,
                artifact_location=tracking.artifact_location(record.experiment),
                tags={"mlflow.experimentKind": "custom_model_development"},  # or the UI asks what it is
            )
        except MlflowException as err:
            if err.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return ensure_experiment(client, tracking, record)  # another lane was faster
    else:
        experiment_id = found.experiment_id
        if found.lifecycle_stage != "active":
            client.restore_experiment(experiment_id)
    client.set_experiment_tag(experiment_id, _NOTE, descriptions.describe_experiment(record))
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{VIEW}", json.dumps(_VIEW_STATE))
    return str(experiment_id)


def record_run(client: "MlflowClient", store: Store, experiment_id: str, record: SkillRecord) -> str:
    """Record the evaluation as a run with its candidates nested in it.

    What an attempt left that was killed, or whose reply was lost, is completed: all that is recorded follows from the
    evaluation, so recording it again changes nothing. The run becomes FINISHED last: a finished run is a whole one.

    Returns:
        Id of the run.
    """
    run_id = patiently(client, lambda: _ensure_run(client, experiment_id, record))
    for candidate in record.trained["candidates"]:
        nested = patiently(client, partial(_ensure_candidate, client, experiment_id, run_id, record, candidate))
        _log_candidate(client, nested, record, candidate)
    client.log_inputs(run_id, [_dataset(record)])
    at = record.evaluated_at_ms
    _log(client, run_id, measures.run_metrics(record), measures.run_params(record), at)
    with store.scratch() as folder:
        _gather(record, run_id, folder)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            client.log_artifact(run_id, str(file), file.parent.relative_to(folder).as_posix())
    client.set_terminated(run_id, "FINISHED", end_time=at)
    return run_id


def _ensure_run(client: "MlflowClient", experiment_id: str, record: SkillRecord) -> str:
    """Id of the run of this evaluation: one that is there, else a new one."""
    found = []
    for run in list_runs(client, experiment_id, record):
        if run.info.status == "FINISHED" or run.data.tags.get("code") == record.provenance["code"]:
            found.append(run)
        else:  # begun by another release, which may have recorded other things
            _delete(client, experiment_id, run.info.run_id)
    valid = valid_run(found)
    if valid is not None:
        return str(valid.info.run_id)
    made = client.create_run(
        experiment_id,
        start_time=record.training_started_at_ms,
        run_name=run_name(record),
        tags=_tags(record, RUN, descriptions.describe_run(record)),
    )
    valid = valid_run([*list_runs(client, experiment_id, record), made])
    return str((valid or made).info.run_id)


def _ensure_candidate(
    client: "MlflowClient", experiment_id: str, parent: str, record: SkillRecord, candidate: str
) -> str:
    """Id of the run of a candidate: one that is there, else a new one."""
    valid = valid_run(_nested(client, experiment_id, parent).get(candidate, ()))
    if valid is not None:
        return str(valid.info.run_id)
    tags = _tags(record, CANDIDATE, descriptions.describe_candidate(record, candidate))
    won = candidate == record.trained["winner"]
    made = client.create_run(
        experiment_id,
        start_time=record.training_started_at_ms,
        run_name=candidate,
        tags={**tags, _PARENT: parent, "selected": "yes" if won else "no"},
    )
    return str(made.info.run_id)


def remove_strays(client: "MlflowClient", experiment_id: str, record: SkillRecord, preferred: str | None) -> None:
    """Leave one run of this evaluation and, in it, one run of each candidate.

    Two registrations at once, or a request that was carried out after its reply was given up, may have made more.

    Args:
        client: MLflow's client.
        experiment_id: The skill's experiment.
        record: The skill.
        preferred: The run of the version, where there is one.

    Raises:
        OvertakenError: the run to keep is another one, and not finished.
    """
    runs = list_runs(client, experiment_id, record)
    valid = valid_run(runs, preferred)
    if valid is None or valid.info.status != "FINISHED":
        raise OvertakenError(f"somebody else is recording this evaluation of {record.name!r}. Run again in a moment.")
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


def _nested(client: "MlflowClient", experiment_id: str, parent: str) -> dict[str, list["Run"]]:
    """Candidate -> its runs nested in `parent`."""
    found = defaultdict(list)
    for run in client.search_runs([experiment_id], f"tags.`{_PARENT}` = '{parent}'"):
        found[str(run.info.run_name)].append(run)
    return found


def _delete(client: "MlflowClient", experiment_id: str, run_id: str) -> None:
    for runs in _nested(client, experiment_id, run_id).values():
        for nested in runs:
            client.delete_run(nested.info.run_id)
    client.delete_run(run_id)


def run_name(record: SkillRecord) -> str:
    """What lists and legends show: who won, and how good it is. When it was is in the column beside it."""
    value = record.evaluated["balanced_accuracy"]["value"]
    return str(record.evaluated["winner"]) if value is None else f"{record.evaluated['winner']} {value:.1%}"


def log_comparison(client: "MlflowClient", run_id: str, metrics: Mapping[str, float], at_ms: int) -> None:
    """Add the comparison with the champion to a run."""
    _log(client, run_id, {f"test_vs_champion/{name}": round(value, 4) for name, value in metrics.items()}, {}, at_ms)


def _log_candidate(client: "MlflowClient", run_id: str, record: SkillRecord, candidate: str) -> None:
    _log(
        client,
        run_id,
        measures.candidate_metrics(record, candidate),
        measures.candidate_params(record, candidate),
        record.evaluated_at_ms,
    )
    seconds = record.trained["candidates"][candidate]["seconds"] or 0
    client.set_terminated(run_id, "FINISHED", end_time=record.training_started_at_ms + int(seconds * 1000))


def _log(
    client: "MlflowClient", run_id: str, metrics: Mapping[str, float], params: Mapping[str, str], at_ms: int
) -> None:
    from mlflow.entities import Metric, Param

    numbers: list[Metric] = [Metric(name, value, at_ms, 0) for name, value in metrics.items()]
    texts = [Param(name, value) for name, value in params.items()]
    client.log_batch(run_id, metrics=numbers, params=texts)


def _tags(record: SkillRecord, kind: str, note: str) -> dict[str, str]:
    commit = record.lineage.commit
    return {
        **record.provenance,
        **record.way_back,
        EVALUATE: record.lineage.evaluate.key,
        KIND: kind,
        _NOTE: note,
        "mlflow.source.name": "coachworks",
        "mlflow.source.type": "LOCAL",
        **({"mlflow.source.git.commit": commit} if commit else {}),
        **({"gates": record.evaluated["status"]} if kind == RUN else {}),
    }


def _dataset(record: SkillRecord) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    split = record.lineage.result("split")
    dataset = Dataset(
        name=record.experiment,
        digest=record.data_digest[:_DATASET_DIGEST_LENGTH],
        source_type="coachworks",
        source=json.dumps({"result": f"results/split/{split.key}/labels.parquet"}),
        profile=json.dumps(
            {"photos": record.trained["photos"], "labels": split.report.get("skills", {}).get(record.name, {})}
        ),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train, validation, test")])


def _gather(record: SkillRecord, run_id: str, folder: Path) -> None:
    """Copy what becomes the run's artifacts."""
    for name in ("pictures", "report", "test", "training"):
        (folder / name).mkdir()
    for path, source in _artifacts(record):
        shutil.copyfile(source, folder / path)
    told = json.dumps(record.trained, indent=1, ensure_ascii=False)
    (folder / "report" / "candidates.json").write_text(told, "utf-8")
    if record.evaluated["status"] == "passed":
        (folder / FOLDER).mkdir()
        write_model_folder(record, run_id, folder / FOLDER)


def _artifacts(record: SkillRecord) -> Iterator[tuple[str, Path]]:
    """Path among the artifacts, and the file."""
    evaluate = record.lineage.evaluate.path
    wanted: list[tuple[str, Path]] = [(f"pictures/{name}", record.folder / name) for name in _PICTURES]
    wanted += [("report/page.html", evaluate / "page.html"), (PREDICTIONS, record.folder / "predictions.parquet")]
    wanted += [("training/policy.json", record.lineage.result("augment").path / "policy.json")]
    return ((path, source) for path, source in wanted if source.exists())
