"""The outcome of a run, skill by skill: the table that `run`, `status` and programs read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ReportError, ancestor, ancestors, jsonable, load, typed
from coachworks.runs import CANCELLED, FAILED, INTERRUPTED, POD_STUCK, RUNNING, SUCCEEDED, Run, log_file, read_errors
from coachworks.store import Store
from components.deploy.report import DeployReport
from components.evaluate.report import EvaluateReport
from components.evaluate.report import SkillReport as Evaluated
from components.package.report import PackageReport
from components.register.report import RegisterReport, Registration
from components.train.report import TrainReport

_NOT_REACHED = {
    RUNNING: "the run is under way",
    INTERRUPTED: "not reached; `coachworks run` continues where the run was interrupted",
    CANCELLED: "not reached; `coachworks submit` continues where the run was cancelled",
    FAILED: "not reached; mend what the step that failed says, and `coachworks {command}` continues",
}


@dataclass(frozen=True, kw_only=True)
class SkillRow:
    """The outcome of one skill. Status, winner, accuracy and gates are those of the run, also where its champion stays.

    Attributes:
        skill: The skill.
        status: `passed`, `failed` (a gate on the model), `dropped` (a gate on the data) or `unknown`.
        photos: Photos that were admitted to it, all splits together.
        winner: The candidate that won, or None.
        balanced_accuracy: `{"value", "low", "high"}` on the test split, or None.
        gates: `{"gate", "limit", "value", "passed"}` each.
        registered_version: Version of the registered model that this run trained, or None.
        registration: Its status in `register`: `champion`, `challenger`, `unchanged`, `not-registered`.
        version: Version of the registered model that is champion, or None.
        champion_accuracy: Balanced accuracy of the champion: on the same test photos if this run compared another
            version with it, else that of its own evaluation; None if it is not known.
        next: The next thing to do, in words; empty if there is none.
    """

    skill: str
    status: str
    photos: int | None = None
    winner: str | None = None
    balanced_accuracy: Mapping[str, float] | None = None
    gates: tuple[Mapping[str, Any], ...] = ()
    registered_version: str | None = None
    registration: str | None = None
    version: str | None = None
    champion_accuracy: float | None = None
    next: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The outcome of a run.

    Attributes:
        fleet: Name of the fleet.
        run: Id of the run.
        state: Its state.
        seconds: Its duration, or None while it runs.
        passed: Whether the run succeeded, every skill passed and the deployment, if any, was not refused.
        unchanged: Whether every step reused its result.
        skills: One row per skill of the run.
        errors: Errors of failed steps: `{"step", "lane", "type", "message"}` each.
        paths: Places of the outcome: `document`, `validation`, `contact_sheet`, `evaluation`, `bento`, `log`.
        deployment: The report of deploy, if the pipeline deploys.
    """

    fleet: str
    run: str
    state: str
    seconds: float | None
    passed: bool
    unchanged: bool
    skills: tuple[SkillRow, ...]
    errors: tuple[Mapping[str, Any], ...]
    paths: Mapping[str, str]
    deployment: DeployReport | None = None


def summarise(store: Store, run: Run, errors: Sequence[Mapping[str, Any]] | None = None) -> Summary:
    """Summarise a run from the reports of its steps.

    Args:
        store: The store of the run.
        run: The run.
        errors: Errors of failed steps, if more is known than the steps themselves recorded.
    """
    fleet = Fleet.from_json(run.fleet)
    recorded = read_errors(store, run.id) if errors is None else errors
    errors = tuple({k: e[k] for k in ("step", "lane", "type", "message")} for e in recorded)
    rows: list[SkillRow] = []
    results: list[Result[Any]] = []
    paths: dict[str, str] = {} if run.remote else {"log": str(_log_of(store, run))}
    unreadable = ""
    if run.document is not None:
        document = load(store, "document", run.document)
        package = ancestor(store, document, "package")
        lanes = [list(ancestors(store, load(store, "register", key))) for key in package.inputs["register"]]
        shared = {result.step: result for lane in lanes for result in lane}
        results = [document, package, *(result for lane in lanes for result in lane)]
        places = {result.step: _place(store, result) for result in (document, *shared.values())}
        paths |= {
            "document": f"{places['document']}/index.html",
            "validation": f"{places['validate']}/page.html",
            "contact_sheet": f"{places['augment']}/contact-sheet.html",
            "evaluation": f"{places['evaluate']}/page.html",
        }
        try:
            for lane in lanes:
                rows.extend(_rows({result.step: result for result in lane}))
            bento = typed(package, PackageReport).report.bento
            paths |= {"bento": bento} if bento else {}
        except ReportError as err:  # the run is of another version of coachworks
            unreadable = str(err)
    named = {row.skill for row in rows}
    rows += [
        SkillRow(skill=name, status="unknown", next=unreadable or _not_reached(run, errors))
        for lane in run.lanes
        for name in lane
        if name not in named
    ]
    order = {name: place for place, name in enumerate(fleet.spec.skills)}
    rows.sort(key=lambda row: order.get(row.skill, len(order)))
    deployment = _deployment(store, run)
    refused = deployment is not None and deployment.status == "refused"
    return Summary(
        fleet=fleet.name,
        run=run.id,
        state=run.state,
        seconds=None if run.ended_at is None else round(run.ended_at - run.started_at, 1),
        passed=run.state == SUCCEEDED and all(row.status == "passed" for row in rows) and not refused,
        unchanged=bool(results) and all(_older(result, run) for result in results),
        skills=tuple(rows),
        errors=errors,
        paths=paths,
        deployment=deployment,
    )


def _log_of(store: Store, run: Run) -> Path:
    """Return the log of a run on this machine; those of earlier versions were called `kfp.log`."""
    earlier = log_file(store, run).with_name("kfp.log")
    return earlier if earlier.exists() else log_file(store, run)


def _not_reached(run: Run, errors: Sequence[Mapping[str, Any]]) -> str:
    """Return why a skill of a run has no outcome, and how it gets one."""
    if run.state == RUNNING and any(error["type"] == POD_STUCK for error in errors):
        return "the run waits for a pod that does not start"
    return _NOT_REACHED.get(run.state, "").format(command="submit" if run.remote else "run")


def _deployment(store: Store, run: Run) -> DeployReport | None:
    if run.deployed is None:
        return None
    try:
        return load(store, DeployReport, run.deployed).report
    except ReportError:  # of another version of coachworks; `coachworks status` asks the cluster anyway
        return None


def _place(store: Store, result: Result[Any]) -> str:
    """Return the place of a result's files; in a folder the short name `latest/<step>` while it leads there."""
    if not store.remote and _is_latest(store, result):
        return store.address(f"latest/{result.step}")
    return result.place


def _is_latest(store: Store, result: Result[Any]) -> bool:
    try:
        return store.resolve_link(f"latest/{result.step}").endswith(f"/{result.key}")
    except NotFoundError:
        return False


def _older(result: Result[Any], run: Run) -> bool:
    return datetime.fromisoformat(result.created_at).timestamp() < run.started_at - 1  # whole seconds in the record


def _rows(lane: Mapping[str, Result[Any]]) -> Iterator[SkillRow]:
    trained = typed(lane["train"], TrainReport).report.skills
    registered = typed(lane["register"], RegisterReport).report.skills
    for name, judged in typed(lane["evaluate"], EvaluateReport).report.skills.items():
        photos = trained[name].photos if name in trained else {}
        registration = registered.get(name)
        yield SkillRow(
            skill=name,
            status=judged.status,
            photos=sum(photos.values()) if photos else None,
            winner=judged.winner,
            balanced_accuracy=jsonable(judged.balanced_accuracy),
            gates=tuple(jsonable(judged.gates)),
            registered_version=registration.version if registration else None,
            registration=registration.status if registration else None,
            version=registration.champion_version if registration else None,
            champion_accuracy=registration.champion_metric if registration else None,
            next=_next_step(judged, registration),
        )


def _next_step(judged: Evaluated, registration: Registration | None) -> str:
    if judged.status != "passed":
        return judged.reason or "see the evaluation page"
    if registration is not None and registration.status == "challenger":
        return registration.reason or "the champion stays"
    return ""
