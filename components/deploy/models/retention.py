"""What may go from the store: models that no release, no alias and no package names, and that are not young.

Names are gathered in the order in which they move: from the registry's aliases into releases and packages. What is
named anywhere while this looks is so found somewhere, or has been there all the time.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.results import latest, load
from coachworks.runs import RUNNING, Run, load_run, read_progress
from coachworks.store import Store, prefetched
from coachworks.tracking import open_client, retry_transient, tracking_of, translated
from coachworks.tracking.registry import Model, read_models
from coachworks.tracking.tags import HEAD_DIGEST
from components.deploy.models.deployment_tags import STABLE, deployments_of
from components.deploy.models.stored_models import BACKBONE, HEAD, StoredModel, stored_models

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DEAD_AFTER = timedelta(days=1)  # of silence: a step at work says something every second


class RevisionNumber(Protocol):
    """A line of a release's history."""

    @property
    def revision(self) -> int:
        """Its number."""


class ReleaseHistory(Protocol):
    """What is asked of a Helm release; see `components.deploy.helm.client`."""

    def history(self) -> Sequence[RevisionNumber]:
        """The revisions that are kept; none where the release is not installed."""

    def values(self, revision: int | None = None) -> Mapping[str, Any]:
        """The values of a revision; NotFoundError where there is none."""


OpenRelease = Callable[[str, str], ReleaseHistory]  # namespace and name of a release


@dataclass(frozen=True)
class Entry:
    """A model in the store, and what becomes of it.

    Attributes:
        model: The model.
        versions: The model versions that it is, as `view v3`.
        stays: Why it stays; empty: it may go.
    """

    model: StoredModel
    versions: tuple[str, ...]
    stays: str


@dataclass(frozen=True)
class Survey:
    """What is in the store, and what may go.

    Attributes:
        entries: All heads and backbones.
        revisions: How many revisions each release keeps, by `namespace/name`.
        silent_runs: Runs that are on record as running but have said nothing for a day.
    """

    entries: tuple[Entry, ...]
    revisions: Mapping[str, int]
    silent_runs: tuple[str, ...]

    @property
    def unused(self) -> list[StoredModel]:
        """What may go, heads first: a backbone must not go before what reads it."""
        return [entry.model for kind in (HEAD, BACKBONE) for entry in self.entries if _goes(entry, kind)]


def _goes(entry: Entry, kind: str) -> bool:
    return not entry.stays and entry.model.kind == kind


def survey(
    store: Store,
    fleet: Fleet,
    open_release: OpenRelease | None,
    namespaces: Iterable[str],
    *,
    older_than: timedelta,
    progress: Progress = SILENT,
) -> Survey:
    """What may go, after everything was read that could name a model.

    Args:
        store: The fleet's store.
        fleet: The fleet, located.
        open_release: Opens a release for its history; None: there is no cluster.
        namespaces: Where the fleet's release may be; those that MLflow tells of are looked at too.
        older_than: Younger models stay.
        progress: Is told of the releases.

    Raises:
        CoachworksError: a run is at work, or the registry or a release cannot be read: nothing may be removed then.
    """
    silent = _require_idle(store)
    stored = stored_models(store)
    models = _read_registry(fleet, stored, progress)
    names: dict[str, list[str]] = defaultdict(list)
    _name_by_registry(names, models, with_cluster=open_release is not None)
    revisions = {}
    for namespace, release in sorted(_releases(fleet, models, namespaces)) if open_release else ():
        assert open_release is not None  # noqa: S101 — the loop is empty without it
        called = f"{namespace}/{release}"
        revisions[called] = _name_by_release(names, called, open_release(namespace, release), progress)
    _name_by_results(names, store)
    _require_idle(store)
    entries = _judge(stored, names, models, fleet, older_than)
    return Survey(tuple(entries), revisions, tuple(silent))


def _require_idle(store: Store) -> list[str]:
    """Ids of the runs on record that have been silent for too long to be alive.

    Raises:
        CoachworksError: another one is at work.
    """
    silent = []
    ids = [key.split("/")[1] for key in store.list("runs") if key.endswith("/run.json")]
    for run in (run for run in prefetched(store, lambda name: load_run(store, name), ids) if run.state == RUNNING):
        quiet_s = time.time() - _last_word(store, run)
        if quiet_s < _DEAD_AFTER.total_seconds():
            raise CoachworksError(
                f"the run {run.id} is at work on {store.uri}, and may be about to use what nothing names yet. Wait for "
                f"it, or stop it; `coachworks status --run {run.id}` shows it, and notices when it is over."
            )
        silent.append(run.id)
    return silent


def _last_word(store: Store, run: Run) -> float:
    return max([run.started_at, *(float(state["updated_at"]) for state in read_progress(store, run.id))])


def _read_registry(fleet: Fleet, stored: Iterable[StoredModel], progress: Progress) -> list[Model]:
    tracking = tracking_of(fleet)
    own = sum(model.fleet == fleet.name for model in stored)
    models: list[Model] = []
    if tracking.database is None or tracking.database.exists():
        client = open_client(tracking, progress)
        with translated(tracking):
            models = retry_transient(client, lambda: read_models(client, fleet))
    if own and not models:
        raise CoachworksError(
            f"the store holds {own} heads of the fleet {fleet.name!r}, and the tracking store {tracking.uri} knows "
            "none of its models: they would all seem unused, so nothing is removed. Name the tracking store that the "
            "fleet records to."
        )
    return models


def _name_by_registry(names: dict[str, list[str]], models: Iterable[Model], *, with_cluster: bool) -> None:
    for model in models:
        for alias, number in model.aliases.items():
            version = model.versions.get(number)
            if version is None:
                raise TransientError(f"{model.name!r} changed while it was read. Run again.")
            _name(names, version.tags, f"{alias} of {model.skill}")
        for number, version in model.versions.items():
            for (namespace, release), told in deployments_of(version.tags).items():
                if told["state"] == STABLE or not with_cluster:  # a history that cannot be read may lead back to it
                    _name(names, version.tags, f"MLflow: {model.skill} v{number} is deployed as {namespace}/{release}")


def _name(names: dict[str, list[str]], tags: Mapping[str, str], why: str) -> None:
    for tag in (HEAD_DIGEST, "backbone_digest"):
        if tags.get(tag):
            names[tags[tag]].append(why)


def _releases(fleet: Fleet, models: Iterable[Model], namespaces: Iterable[str]) -> set[tuple[str, str]]:
    """Namespace and name of every release of the fleet that is known."""
    own = {(namespace, fleet.spec.deploy.release or fleet.name) for namespace in namespaces}
    tags = (version.tags for model in models for version in model.versions.values())
    return own.union(*(deployments_of(each) for each in tags))


def _name_by_release(names: dict[str, list[str]], called: str, release: ReleaseHistory, progress: Progress) -> int:
    """Every digest in the values of every revision that is kept; how many those are."""
    try:
        revisions = [line.revision for line in release.history()]
        with progress.task(called, total=len(revisions), unit="revisions") as task:
            for revision in reversed(revisions):
                for digest in set(_DIGEST.findall(json.dumps(release.values(revision)))):
                    names[digest].append(f"release {called}, revision {revision}")
                task.advance()
    except NotFoundError as err:  # Helm drops the oldest revision when it makes a new one
        raise TransientError(f"the release {called} changed while it was read. Run again.") from err
    except CoachworksError as err:
        raise CoachworksError(
            f"the release {called} cannot be read, so nothing is removed: {str(err).rstrip('.')}. Where the fleet is "
            "on no cluster, say so with `--no-cluster`."
        ) from err
    return len(revisions)


def _name_by_results(names: dict[str, list[str]], store: Store) -> None:
    """The models of the latest package, and the backbone that the pipeline used last."""
    for step in ("package", "embed"):
        try:
            result = load(store, step, latest(store, step))
        except NotFoundError:
            continue
        if step == "embed":
            names[str(result.report.get("backbone_digest"))].append("the latest run's backbone")
        elif result.report["skills"]:
            manifest = store.read(f"results/package/{result.key}/bundle/manifest.json").decode()
            for digest in set(_DIGEST.findall(manifest)):
                names[digest].append("the latest package")


def _judge(
    stored: Iterable[StoredModel],
    names: Mapping[str, Sequence[str]],
    models: Iterable[Model],
    fleet: Fleet,
    older_than: timedelta,
) -> list[Entry]:
    called: dict[str, list[str]] = defaultdict(list)
    for model in models:
        for number, version in model.versions.items():
            called[version.tags.get(HEAD_DIGEST, "")].append(f"{model.skill} v{number}")
    heads = [
        Entry(model, tuple(called[model.digest]), _why(model, names, fleet, older_than))
        for model in stored
        if model.kind == HEAD
    ]
    readers: dict[str, int] = defaultdict(int)
    for entry in heads:
        readers[entry.model.backbone] += bool(entry.stays)
    backbones = [
        Entry(model, (), _why(model, names, fleet, older_than, readers[model.digest]))
        for model in stored
        if model.kind == BACKBONE
    ]
    return [*heads, *backbones]


def _why(
    model: StoredModel, names: Mapping[str, Sequence[str]], fleet: Fleet, older_than: timedelta, readers: int = 0
) -> str:
    """Why a model stays; empty where it may go."""
    reasons = names.get(model.digest, ())
    if reasons:
        return reasons[0] + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    if readers:
        return "1 head that stays reads it" if readers == 1 else f"{readers} heads that stay read it"
    if model.fleet and model.fleet != fleet.name:
        return f"it belongs to the fleet {model.fleet}"
    if model.kind == HEAD and model.described and not model.fleet:
        return "its description does not say whose it is"
    if datetime.now(UTC) - model.written_at < older_than:
        return "it is young"
    return ""
