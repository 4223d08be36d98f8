"""Unused models in the store: those that no release, alias or package refers to, and that are old enough.

References are collected in the order promotion moves them (aliases, releases, packages), so a model promoted during the
scan is still seen once.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.results import latest, load
from coachworks.runs import RUNNING, Run, load_run, read_progress
from coachworks.store import Store, prefetched
from coachworks.tracking import open_client, retry_transient, tracking_of, translated
from coachworks.tracking.registry import Model, read_models
from coachworks.tracking.tags import HEAD_DIGEST
from coachworks.wording import noun_for
from components.deploy.helm.client import Helm
from components.deploy.models.deployment_tags import DEPLOYED, deployments_of
from components.deploy.models.stored_models import BACKBONE, HEAD, StoredModel, stored_models

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DEAD_AFTER = timedelta(days=1)  # without progress: a step at work reports it every second

OpenHelm = Callable[[str, str], Helm]  # namespace and name of a release
_References = dict[str, list[str]]  # digest -> places that refer to it, in words


@dataclass(frozen=True)
class ModelUse:
    """A model in the store, and whether it is used.

    Attributes:
        model: The model.
        versions: Model versions with this head, as `view v3`.
        kept_because: Why it is kept; empty: it is unused.
    """

    model: StoredModel
    versions: tuple[str, ...]
    kept_because: str


@dataclass(frozen=True)
class Retention:
    """Models in the store, used and unused.

    Attributes:
        models: All heads and backbones.
        revisions: Number of revisions that each release keeps, by `namespace/name`.
        silent_runs: Runs that are recorded as running but have made no progress for a day.
    """

    models: tuple[ModelUse, ...]
    revisions: Mapping[str, int]
    silent_runs: tuple[str, ...]

    @property
    def unused(self) -> list[StoredModel]:
        """Models to remove, heads first: a backbone must not be removed before the heads that read it."""
        return [
            use.model
            for kind in (HEAD, BACKBONE)
            for use in self.models
            if use.model.kind == kind and not use.kept_because
        ]


def find_unused(
    store: Store,
    fleet: Fleet,
    open_helm: OpenHelm | None,
    namespaces: Iterable[str],
    *,
    older_than: timedelta,
    progress: Progress = SILENT,
) -> Retention:
    """Find the models that nothing refers to.

    Args:
        store: The fleet's store.
        fleet: The fleet, located.
        open_helm: Opens a release for its history; None: there is no cluster.
        namespaces: Namespaces of the fleet's release; those in the deployment tags are read too.
        older_than: Younger models are kept.
        progress: Receives progress updates.

    Raises:
        CoachworksError: a run is in progress, or the registry or a release cannot be read: nothing may be removed then.
    """
    silent = _require_no_run(store)
    stored = stored_models(store)
    models = _read_registry(fleet, stored, progress)
    references: _References = defaultdict(list)
    _add_registry(references, models, with_cluster=open_helm is not None)
    revisions = {}
    if open_helm is not None:
        for namespace, release in sorted(_releases(fleet, models, namespaces)):
            place = f"{namespace}/{release}"
            revisions[place] = _add_release(references, place, open_helm(namespace, release), progress)
    _add_results(references, store)
    _require_no_run(store)  # a run that began meanwhile may use a model that nothing refers to yet
    uses = _model_uses(stored, references, models, fleet, older_than)
    return Retention(tuple(uses), revisions, tuple(silent))


def _require_no_run(store: Store) -> list[str]:
    """Return ids of runs on record that have been silent for too long to be alive.

    Raises:
        CoachworksError: another run is in progress.
    """
    silent = []
    ids = [key.split("/")[1] for key in store.list("runs") if key.endswith("/run.json")]
    for run in (run for run in prefetched(store, lambda name: load_run(store, name), ids) if run.state == RUNNING):
        quiet_s = time.time() - _last_progress(store, run)
        if quiet_s < _DEAD_AFTER.total_seconds():
            raise CoachworksError(
                f"the run {run.id} is in progress on {store.uri}, and may need models that nothing refers to yet. Wait "
                f"for it, or stop it; `coachworks status --run {run.id}` shows it, and notices when it is over."
            )
        silent.append(run.id)
    return silent


def _last_progress(store: Store, run: Run) -> float:
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
            f"the store holds {own} heads of the fleet {fleet.name!r}, and the tracking store {tracking.uri} holds "
            "none of its models: they would all seem unused, so nothing is removed. Name the tracking store that the "
            "fleet records to."
        )
    return models


def _add_registry(references: _References, models: Iterable[Model], *, with_cluster: bool) -> None:
    for model in models:
        for alias, number in model.aliases.items():
            version = model.versions.get(number)
            if version is None:
                raise TransientError(f"{model.name!r} changed while it was read. Run again.")
            _add_version(references, version.tags, f"{alias} of {model.skill}")
        for number, version in model.versions.items():
            for (namespace, release), content in deployments_of(version.tags).items():
                # Without a cluster, a history that is not read may lead back to a replaced version.
                if content["state"] == DEPLOYED or not with_cluster:
                    place = f"{namespace}/{release}"
                    _add_version(references, version.tags, f"MLflow: {model.skill} v{number} is deployed as {place}")


def _add_version(references: _References, tags: Mapping[str, str], place: str) -> None:
    for tag in (HEAD_DIGEST, "backbone_digest"):
        if tags.get(tag):
            references[tags[tag]].append(place)


def _releases(fleet: Fleet, models: Iterable[Model], namespaces: Iterable[str]) -> set[tuple[str, str]]:
    """Return namespace and name of every known release of the fleet."""
    own = {(namespace, fleet.spec.deploy.release or fleet.name) for namespace in namespaces}
    tags = (version.tags for model in models for version in model.versions.values())
    return own.union(*(deployments_of(each) for each in tags))


def _add_release(references: _References, place: str, helm: Helm, progress: Progress) -> int:
    """Add every digest in the values of every revision that is kept; return the number of revisions."""
    try:
        revisions = [revision.number for revision in helm.history()]
        with progress.task(place, total=len(revisions), unit="revisions") as task:
            for revision in reversed(revisions):
                for digest in set(_DIGEST.findall(json.dumps(helm.values(revision)))):
                    references[digest].append(f"release {place}, revision {revision}")
                task.advance()
    except NotFoundError as err:  # Helm drops the oldest revision when it creates a new one
        raise TransientError(f"the release {place} changed while it was read. Run again.") from err
    except CoachworksError as err:
        raise CoachworksError(
            f"the release {place} cannot be read, so nothing is removed: {str(err).rstrip('.')}. Where the fleet is "
            "on no cluster, say so with `--no-cluster`."
        ) from err
    return len(revisions)


def _add_results(references: _References, store: Store) -> None:
    """Add the models of the latest package, and the backbone that the pipeline used last."""
    for step in ("package", "embed"):
        try:
            result = load(store, step, latest(store, step))
        except NotFoundError:
            continue
        if step == "embed":
            references[str(result.report.get("backbone_digest"))].append("the latest run's backbone")
        elif result.report["skills"]:
            manifest = store.read(f"results/package/{result.key}/bundle/manifest.json").decode()
            for digest in set(_DIGEST.findall(manifest)):
                references[digest].append("the latest package")


def _model_uses(
    stored: Iterable[StoredModel],
    references: Mapping[str, Sequence[str]],
    models: Iterable[Model],
    fleet: Fleet,
    older_than: timedelta,
) -> list[ModelUse]:
    versions: dict[str, list[str]] = defaultdict(list)
    for model in models:
        for number, version in model.versions.items():
            versions[version.tags.get(HEAD_DIGEST, "")].append(f"{model.skill} v{number}")
    heads = [
        ModelUse(model, tuple(versions[model.digest]), _reason_to_keep(model, references, fleet, older_than))
        for model in stored
        if model.kind == HEAD
    ]
    readers: dict[str, int] = defaultdict(int)
    for use in heads:
        readers[use.model.backbone] += bool(use.kept_because)
    backbones = [
        ModelUse(model, (), _reason_to_keep(model, references, fleet, older_than, readers[model.shared]))
        for model in stored
        if model.kind == BACKBONE
    ]
    return [*heads, *backbones]


def _reason_to_keep(
    model: StoredModel,
    references: Mapping[str, Sequence[str]],
    fleet: Fleet,
    older_than: timedelta,
    readers: int = 0,
) -> str:
    """Return why a model is kept; empty where it is unused."""
    places = references.get(model.digest) or references.get(model.shared) or ()
    if places:
        return places[0] + (f", and {len(places) - 1} more" if len(places) > 1 else "")
    if readers:
        return noun_for(readers, "1 head that is kept reads it", f"{readers} heads that are kept read it")
    if model.fleet and model.fleet != fleet.name:
        return f"it belongs to the fleet {model.fleet}"
    if model.kind == HEAD and model.described and not model.fleet:
        return "its description does not name its fleet"
    if datetime.now(UTC) - model.written_at < older_than:
        return "it is young"
    return ""
