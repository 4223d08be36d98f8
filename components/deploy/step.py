"""deploy: the champions as one Helm release."""

import uuid
from pathlib import Path
from typing import Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError, load, produce
from coachworks.store import Store, read_record, write_record
from components.deploy.config import DeployConfig
from components.deploy.releasing import release_fleet
from components.deploy.removals import RemovalError
from components.deploy.report import DeployReport
from components.deploy.reporting import build_report
from components.deploy.request import DeployRequest, open_release, resolve_target
from components.deploy.rollout import DeployError, RolloutResult
from components.deploy.rollout_plan import plan_rollout


def deploy(
    fleet: Fleet, document: str, *, config: DeployConfig | None = None, context: Context | None = None
) -> Result[DeployReport]:
    """Deploy the champions to Kubernetes behind a canary, with automatic rollback on failure.

    It reads the state of the cluster each time; if the release is up to date, it returns the last result again. Where
    something would not be answered any more, nothing is changed, and the report says so: `coachworks deploy --remove`
    allows it.

    Args:
        fleet: The fleet, located.
        document: Key of the result of document.
        config: Settings.
        context: The surroundings of the task; None opens the fleet's own store.

    Returns:
        A result with a `DeployReport`.

    Raises:
        BusyError: another deployment of this release is in progress.
        DeployError: the new version failed its checks; the previous revision serves again.
    """
    context = context or open_context(fleet)
    store = context.store
    load(store, "document", document)
    if context.dry:
        raise NotDoneError("deploy", "it depends on the state of the cluster")
    release, request = open_release(fleet, store=store), DeployRequest()
    current = release.deployed_values()
    target = resolve_target(release, request, current, context.progress)
    digest = target.release_digest
    memory = _Rejected(store, context.run)
    memory.refuse(digest)
    same = (
        current is not None
        and target.values is not None
        and plan_rollout(release.helm, release.cluster, current, target.values).up_to_date
    )
    inputs: dict[str, Any] = {
        "document": document,
        "namespace": release.cluster.namespace,
        "release": release.release,
        "target": digest,
        "awaiting": dict(target.resolved.awaiting),
        "left_out": dict(target.resolved.left_out),
        "found": f"revision {release.revision()}" if same else f"another, attempt {uuid.uuid4().hex}",
    }

    def build(_: Path) -> DeployReport:
        try:
            return release_fleet(release, request, config=config, progress=context.progress)
        except RemovalError as err:  # a person decides; the run is none the worse for it
            unchanged = RolloutResult(False, release.revision())
            return build_report(release, current, current, target.resolved, unchanged, err.removals)
        except DeployError as err:
            memory.note(digest, str(err))
            raise

    return produce(DeployReport, inputs, build, context=context, code=code_digest(__name__))


class _Rejected:
    """Targets that failed their checks in this run: a retried task must not try them again."""

    def __init__(self, store: Store, run: str | None) -> None:
        self._store, self._key = store, f"runs/{run}/rejected.json" if run else None

    def refuse(self, target: str) -> None:
        """Raise DeployError if `target` was rejected before."""
        rejected = self._read()
        if target in rejected:
            raise DeployError(str(rejected[target]))

    def note(self, target: str, reason: str) -> None:
        """Record the rejection of `target`."""
        if self._key is not None:
            write_record(self._store, self._key, {**self._read(), target: reason})

    def _read(self) -> dict[str, str]:
        if self._key is None:
            return {}
        try:
            return read_record(self._store, self._key)
        except NotFoundError:
            return {}
