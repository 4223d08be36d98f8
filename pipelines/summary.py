"""What came out of a run, skill by skill: the one table that `run`, `status` and programs read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.results import Result, ancestor, load
from coachworks.runs import CANCELLED, FAILED, INTERRUPTED, RUNNING, SUCCEEDED, Run, read_errors
from coachworks.store import Store, machine_folder

_NOT_REACHED = {
    RUNNING: "the run is under way",
    INTERRUPTED: "not reached; `coachworks run` continues where the run was interrupted",
    CANCELLED: "not reached; `coachworks submit` continues where the run was cancelled",
    FAILED: "not reached; mend what the step that failed says, and `coachworks run` continues",
}


@dataclass(frozen=True, kw_only=True)
class SkillRow:
    """One skill's outcome.

    Attributes:
        skill: The skill.
        status: `passed`, `failed` (a gate on the model), `dropped` (a gate on the data) or `unknown`.
        photos: Photos that were admitted to it, all splits together.
        winner: The candidate that won, or None.
        balanced_accuracy: `{"value", "low", "high"}` on the test split, or None.
        gates: `{"gate", "limit", "value", "passed"}` each.
        version: Version of the registered model that is champion, or None.
        registration: What `register` did: `champion`, `challenger`, `unchanged`, `not-registered`.
        next: What to do next, in words; empty where nothing is.
    """

    skill: str
    status: str
    photos: int | None = None
    winner: str | None = None
    balanced_accuracy: Mapping[str, float] | None = None
    gates: tuple[Mapping[str, Any], ...] = ()
    version: str | None = None
    registration: str | None = None
    next: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run's outcome.

    Attributes:
        fleet: Name of the fleet.
        run: Id of the run.
        state: Its state.
        seconds: How long it took, or None while it runs.
        passed: Whether the run succeeded and every skill passed.
        unchanged: Whether every step reused its result.
        skills: One row per skill of the run.
        errors: What made steps fail: `{"step", "lane", "type", "message"}` each.
        paths: Where to look: `document`, `validation`, `contact_sheet`, `evaluation`, `bento`, `log`.
        deployment: What the pipeline's last step reported, where that is to deploy.
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
    deployment: Mapping[str, Any] | None = None


def summarise(store: Store, run: Run, errors: Sequence[Mapping[str, Any]] | None = None) -> Summary:
    """The outcome of `run`, from the reports of its steps.

    Args:
        store: Where they are.
        run: The run.
        errors: What made steps fail, where more is known than the steps themselves said.
    """
    fleet = Fleet.from_json(run.fleet)
    told = read_errors(store, run.id) if errors is None else errors
    errors = tuple({k: e[k] for k in ("step", "lane", "type", "message")} for e in told)
    rows: list[SkillRow] = []
    results: list[Result] = []
    paths: dict[str, str] = {} if run.remote else {"log": f"{machine_folder(store)}/runs/{run.id}/kfp.log"}
    if run.document is not None:
        document = load(store, "document", run.document)
        package = ancestor(store, document, "package")
        registered = [load(store, "register", key) for key in package.inputs["register"]]
        shared = [ancestor(store, package, step) for step in ("embed", "augment", "validate", "split", "ingest")]
        results = [document, package, *registered, *shared]
        for result in registered:
            evaluate = ancestor(store, result, "evaluate")
            train = ancestor(store, evaluate, "train")
            results += [evaluate, train]
            rows.extend(_rows(train, evaluate, result))
            paths["evaluation"] = f"{_place(store, evaluate)}/page.html"
        by_step = {result.step: _place(store, result) for result in results}
        paths |= {
            "document": f"{by_step['document']}/index.html",
            "validation": f"{by_step['validate']}/page.html",
            "contact_sheet": f"{by_step['augment']}/contact-sheet.html",
        }
        if package.report.get("bento"):
            paths["bento"] = str(package.report["bento"])
    named = {row.skill for row in rows}
    rows += [
        SkillRow(skill=name, status="unknown", next=_NOT_REACHED.get(run.state, ""))
        for lane in run.lanes
        for name in lane
        if name not in named
    ]
    order = {name: place for place, name in enumerate(fleet.spec.skills)}
    rows.sort(key=lambda row: order.get(row.skill, len(order)))
    return Summary(
        fleet=fleet.name,
        run=run.id,
        state=run.state,
        seconds=None if run.ended_at is None else round(run.ended_at - run.started_at, 1),
        passed=run.state == SUCCEEDED and all(row.status == "passed" for row in rows),
        unchanged=bool(results) and all(_older(result, run) for result in results),
        skills=tuple(rows),
        errors=errors,
        paths=paths,
        deployment=load(store, "deploy", run.deployed).report if run.deployed else None,
    )


def _place(store: Store, result: Result) -> str:
    """Where the result's files lie; in a folder by the short name `latest/<step>`, while that leads there."""
    if not store.remote and _is_latest(store, result):
        return store.address(f"latest/{result.step}")
    return result.place


def _is_latest(store: Store, result: Result) -> bool:
    try:
        return store.resolve_link(f"latest/{result.step}").endswith(f"/{result.key}")
    except NotFoundError:
        return False


def _older(result: Result, run: Run) -> bool:
    return datetime.fromisoformat(result.created_at).timestamp() < run.started_at - 1  # whole seconds in the record


def _rows(train: Result, evaluate: Result, register: Result) -> Iterator[SkillRow]:
    for name, judged in evaluate.report["skills"].items():
        trained: Mapping[str, Any] = train.report["skills"].get(name, {})
        registered: Mapping[str, Any] = register.report["skills"].get(name, {})
        photos = trained.get("photos")
        yield SkillRow(
            skill=name,
            status=judged["status"],
            photos=sum(photos.values()) if photos else None,
            winner=judged.get("winner"),
            balanced_accuracy=judged.get("balanced_accuracy"),
            gates=tuple(judged.get("gates") or ()),
            version=registered.get("champion_version"),
            registration=registered.get("status"),
            next=_next_step(judged, registered),
        )


def _next_step(judged: Mapping[str, Any], registered: Mapping[str, Any]) -> str:
    if judged["status"] != "passed":
        return str(judged.get("reason") or "see the evaluation page")
    if registered.get("status") == "challenger":
        return str(registered.get("reason") or "the champion stays")
    return ""
