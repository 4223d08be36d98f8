"""The step register, as a library function."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError, load, produce
from coachworks.store import Store
from coachworks.tracking import Tracking, TrackingClient, open_client, retry_transient, tracking_of, translated
from components.evaluate.report import EvaluateReport
from components.register.config import RegisterConfig
from components.register.head_store import save_head
from components.register.lineage import Lineage, SkillRecord
from components.register.registration import registration_of
from components.register.registry_sqlite import read_sqlite
from components.register.registry_state import RegistryState, is_complete, is_unchanged, read_registry
from components.register.report import RegisterReport


def register(
    fleet: Fleet,
    evaluate: str,
    skills: Sequence[str] | None = None,
    *,
    config: RegisterConfig | None = None,
    context: Context | None = None,
) -> Result[RegisterReport]:
    """Record every candidate in MLflow, register the winners, let a better challenger take over.

    What the registry holds afterwards is part of the result's key, beside the evaluation: the step looks at the
    outside, and a champion that somebody moved by hand makes another result; the server's address is not, since it
    may have several. Where nothing is left to do, an embedded MLflow is not even imported.

    Args:
        fleet: The fleet, located.
        evaluate: Key of the result of evaluate.
        skills: The lane's skills; None: all.
        config: Settings.
        context: The run's surroundings.

    Returns:
        The result; its report is a `RegisterReport`.

    Raises:
        TransientError: the tracking server stays away longer than patience lasts; what is done is kept.
        InvalidConfigError: the tracking address, the credentials or the database cannot be used.
    """
    config = config or RegisterConfig()
    context = context or open_context(fleet, tracking=tracking_of)
    store = context.store
    tracking = context.tracking
    lineage = Lineage(fleet, store, load(store, EvaluateReport, evaluate), context.run)
    records = [lineage.skill(name) for name in (fleet.spec.skills if skills is None else skills)]
    seen = _glance(tracking, records, ask_server=context.dry)
    if seen is None and context.dry:
        raise NotDoneError("register", "the registry lacks what evaluate found")
    seen = seen or _bring_about(tracking, store, records, config, context)
    registrations = {record.name: registration_of(record, seen[record.name]) for record in records}
    inputs = {
        "evaluate": evaluate,
        "fleet": fleet.name,
        "registry": {
            name: [entry.version, entry.champion_version, entry.head_digest, entry.experiment_id, entry.run_id]
            for name, entry in registrations.items()
        },
    }
    return produce(
        RegisterReport,
        inputs,
        lambda _: RegisterReport(tracking.name, registrations),
        context=context,
        code=code_digest(__name__),
    )


def _glance(tracking: Tracking, records: Sequence[SkillRecord], *, ask_server: bool) -> dict[str, RegistryState] | None:
    """What the registry holds, if nothing is left to do; else None. A server is asked only for a dry run."""
    client = open_client(tracking) if ask_server and tracking.database is None else None
    found = {}
    with translated(tracking) if client else nullcontext():
        for record in records:
            seen = read_registry(client, record) if client else read_sqlite(tracking, record)
            if seen is None or not is_complete(record, seen):
                return None
            found[record.name] = seen
    return found


def _bring_about(
    tracking: Tracking, store: Store, records: Sequence[SkillRecord], config: RegisterConfig, context: Context
) -> dict[str, RegistryState]:
    """Do what is left to do, and return what the registry holds afterwards."""
    client = open_client(tracking, context.progress)
    found = {}
    with context.progress.task("register", total=len(records), unit="skills") as task:
        for record in records:
            found[record.name] = retry_transient(client, partial(_settle, client, tracking, store, record, config))
            task.advance()
    return found


def _settle(
    client: TrackingClient, tracking: Tracking, store: Store, record: SkillRecord, config: RegisterConfig
) -> RegistryState:
    """Bring about what one skill lacks; each time it is called it asks first, so it may be called again."""
    with translated(tracking), tracking.exclusive():  # per skill, so that lanes take turns
        seen = read_registry(client, record)
        if not is_complete(record, seen):
            _register(client, tracking, store, record, seen, config)
            seen = read_registry(client, record)
        return seen


def _register(
    client: TrackingClient,
    tracking: Tracking,
    store: Store,
    record: SkillRecord,
    seen: RegistryState,
    config: RegisterConfig,
) -> None:
    from components.register.runs import ensure_experiment, record_run, remove_duplicates
    from components.register.versions import assign_alias, ensure_version

    passed = record.evaluated.status == "passed"
    if passed:
        save_head(store, record)
    if passed and seen.champion is not None and is_unchanged(record, seen.champion):
        return
    experiment_id = ensure_experiment(client, tracking, record)
    run_id = seen.run_id or record_run(client, store, experiment_id, record)
    if not passed:
        remove_duplicates(client, experiment_id, record, None)
        return
    own = ensure_version(client, record, seen, run_id)
    assign_alias(client, store, record, seen, own, config)
    remove_duplicates(client, experiment_id, record, own.run_id)
