"""deploy: the champions as one Helm release."""

import json
import uuid
from pathlib import Path
from typing import Any

from coachworks.code_digest import code_digest
from coachworks.context import ALONE, Context
from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.results import NotDoneError, Result, load, produce
from coachworks.store import Store, open_store
from components.deploy.config import DeployConfig
from components.deploy.releasing import Wish, aim, open_site, release_fleet
from components.deploy.report import DeployReport
from components.deploy.rollout import DeployError
from components.deploy.rollout_plan import in_place


def deploy(fleet: Fleet, document: str, *, config: DeployConfig | None = None, context: Context = ALONE) -> Result:
    """Deploy the champions to Kubernetes: behind a canary, or back to what answered before.

    The cluster is looked at each time; where the very same is in place, the result of the last time is given again.

    Args:
        fleet: The fleet, located.
        document: Key of the result of document.
        config: Settings.
        context: The run this is part of.

    Returns:
        A result with a `DeployReport`.

    Raises:
        BusyError: somebody else is deploying this release.
        DeployError: the new version did not prove itself; what answered before answers again.
    """
    store = open_store(fleet.spec.store)
    load(store, "document", document)
    if context.dry:
        raise NotDoneError("deploy", "the cluster is looked at each time")
    site = open_site(fleet)
    released = site.released()
    goal = aim(site, Wish(), context.progress, released)
    target = str((goal.values or {}).get("release", ""))
    memory = _Rejected(store, context.run)
    memory.refuse(target)
    same = released is not None and goal.values is not None and in_place(site.helm, released, goal.values)
    inputs: dict[str, Any] = {
        "document": document,
        "namespace": site.cluster.namespace,
        "release": site.release,
        "target": target,
        "awaiting": dict(goal.resolved.awaiting),
        "left_out": dict(goal.resolved.left_out),
        "found": f"revision {site.revision()}" if same else f"another, attempt {uuid.uuid4().hex}",
    }

    def build(_: Path) -> DeployReport:
        try:
            return release_fleet(site, Wish(), config=config, progress=context.progress)
        except DeployError as err:
            memory.note(target, str(err))
            raise

    return produce(store, "deploy", inputs, build, context=context, code=code_digest(__name__))


class _Rejected:
    """What was tried in this run and did not prove itself: a retried task must not try it again."""

    def __init__(self, store: Store, run: str | None) -> None:
        self._store, self._key = store, f"runs/{run}/rejected.json" if run else None

    def refuse(self, target: str) -> None:
        """DeployError where `target` was rejected before."""
        rejected = self._read()
        if target in rejected:
            raise DeployError(str(rejected[target]))

    def note(self, target: str, reason: str) -> None:
        """`target` was rejected."""
        if self._key is not None:
            self._store.write(self._key, json.dumps({**self._read(), target: reason}).encode())

    def _read(self) -> dict[str, str]:
        if self._key is None:
            return {}
        try:
            return dict(json.loads(self._store.read(self._key)))
        except NotFoundError:
            return {}
