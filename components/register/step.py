"""The step register as a library function."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError, load, produce
from coachworks.store import prefetched
from coachworks.tracking import Tracking, TrackingClient, open_client, retry_transient, tracking_of, translated
from coachworks.tracking.tags import HEAD_DIGEST
from components.evaluate.report import EvaluateReport
from components.register.champion_heads import ensure_head
from components.register.config import RegisterConfig
from components.register.head_store import head_is_intact, save_head
from components.register.lineage import Lineage, SkillRecord
from components.register.registration import registration_of
from components.register.registry_sqlite import read_sqlite
from components.register.registry_state import RegistryState, is_complete, is_unchanged, read_registry
from components.register.renaming import must_rename, rename, why_not_renamed
from components.register.report import RegisterReport


def register(
    fleet: Fleet,
    evaluate: str,
    skills: Sequence[str] | None = None,
    *,
    config: RegisterConfig | None = None,
    context: Context | None = None,
) -> Result[RegisterReport]:
    """Record every candidate in MLflow, register the winners, and promote challengers that are better than champions.

    The state of the registry afterwards is part of the result's key, beside the evaluation: a champion that somebody
    moved by hand gives another result. The server's address is not, because a server may have several. If there is
    nothing to do, an embedded MLflow is not even imported.

    Args:
        fleet: The fleet, located.
        evaluate: Key of the result of evaluate.
        skills: The lane's skills; None: all.
        config: Settings.
        context: The surroundings of the task; None opens the fleet's own store and tracking.

    Returns:
        The result; its report is a `RegisterReport`.

    Raises:
        TransientError: the tracking server did not return in time; completed work is kept.
        InvalidConfigError: the tracking address, the credentials or the database cannot be used.
    """
    config = config or RegisterConfig()
    context = context or open_context(fleet, tracking=tracking_of)
    store = context.store
    tracking = context.tracking
    lineage = Lineage(fleet, store, load(store, EvaluateReport, evaluate), context.run)
    records = [lineage.skill(name) for name in (fleet.spec.skills if skills is None else skills)]
    states = _complete_state(tracking, records, read_server=context.dry)
    if states is None and context.dry:
        raise NotDoneError("register", "the registry lacks the results of evaluate")
    if states is None:
        lineage.compare(records)
        states = _complete(records, config, context)
    if not context.dry:
        _keep_heads(context, records, states)
    registrations = {record.name: registration_of(record, states[record.name]) for record in records}
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


def _complete_state(
    tracking: Tracking, records: Sequence[SkillRecord], *, read_server: bool
) -> dict[str, RegistryState] | None:
    """Return the state of the registry by skill, or None if there is work to do; a server is read for dry runs only."""
    client = open_client(tracking) if read_server and tracking.database is None else None
    states = {}
    with translated(tracking) if client else nullcontext():
        for record in records:
            if client is not None and must_rename(client, record):
                return None
            state = read_registry(client, record) if client else read_sqlite(tracking, record)
            if state is None or not is_complete(record, state):
                return None
            states[record.name] = state
    return states


def _complete(records: Sequence[SkillRecord], config: RegisterConfig, context: Context) -> dict[str, RegistryState]:
    """Do the missing work, and return the state of the registry afterwards."""
    client = open_client(context.tracking, context.progress)
    states = {}
    with context.progress.task("register", total=len(records), unit="skills") as task:
        for record in records:
            states[record.name] = retry_transient(client, partial(_complete_skill, client, context, record, config))
            if reason := why_not_renamed(client, record):
                context.progress.note(reason)
            task.advance()
    return states


def _keep_heads(context: Context, records: Sequence[SkillRecord], states: Mapping[str, RegistryState]) -> None:
    """Restore the heads of champions that the store has lost or holds damaged: the package is made of them."""
    champions = [
        (record, champion)
        for record in records
        if (champion := states[record.name].champion) is not None and HEAD_DIGEST in champion.tags
    ]
    digests = [champion.tags[HEAD_DIGEST] for _, champion in champions]
    intact = prefetched(context.store, partial(head_is_intact, context.store), digests)
    client = cache(lambda: open_client(context.tracking, context.progress))
    for (record, champion), kept in zip(champions, intact, strict=True):
        if not kept:
            ensure_head(context, client, record, champion)


def _complete_skill(
    client: TrackingClient, context: Context, record: SkillRecord, config: RegisterConfig
) -> RegistryState:
    """Do the missing work for one skill; it reads the registry first, so it may be repeated."""
    with translated(context.tracking), context.tracking.exclusive():  # per skill, so that lanes take turns
        if must_rename(client, record):
            rename(client, record)
        state = read_registry(client, record)
        if not is_complete(record, state):
            _register(client, context, record, state, config)
            state = read_registry(client, record)
        return state


def _register(
    client: TrackingClient, context: Context, record: SkillRecord, state: RegistryState, config: RegisterConfig
) -> None:
    from components.register.runs import ensure_experiment, record_run, remove_duplicates
    from components.register.versions import assign_alias, ensure_version

    passed = record.evaluated.status == "passed"
    if passed:
        save_head(context.store, record)
    if passed and state.champion is not None and is_unchanged(record, state.champion):
        return
    experiment_id = ensure_experiment(client, context.tracking, record)
    run_id = state.run_id or record_run(client, context.store, experiment_id, record)
    if not passed:
        remove_duplicates(client, experiment_id, record, None)
        return
    own = ensure_version(client, record, state, run_id)
    assign_alias(client, context, record, state, own, config)
    remove_duplicates(client, experiment_id, record, own.run_id)
