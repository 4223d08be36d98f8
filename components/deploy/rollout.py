"""From one version to the next, revision by revision of the Helm release; back by itself where something is wrong.

An upgrade has four revisions: the canary beside the stable pods; the canary in the Services; the stable pods renewed;
the canary removed. A skill that moves between shared pods and its own costs two more before: its new pods are added,
then its Service is switched. A first installation has two: pods without Services' traffic, then with it.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coachworks.errors import CoachworksError
from coachworks.progress import Progress
from components.deploy.canary.checks import Proof
from components.deploy.canary.metrics import CANARY, STABLE, Verdict
from components.deploy.cluster.lease import LeaseLock, LostError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.readiness import wait_until_gone, wait_until_ready
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import read_deployments
from components.deploy.rollout_plan import route
from components.deploy.target.values import Values, settled, versions, with_canary

ALL, NONE = "all", "none"  # whose pods the Services find, beside STABLE


class DeployError(CoachworksError):
    """A version was not deployed; what answered before answers again."""


@dataclass(frozen=True)
class Stage:
    """A part of a deployment: its name, the revision it made (0: none), and how long it took, in seconds."""

    name: str
    revision: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a deployment went.

    Attributes:
        changed: Whether there was anything to do.
        revision: The revision that is in place.
        stages: What was done, in order.
        verdict: What the bake showed; None where there was none.
        smoke: Answers that the smoke test compared.
    """

    changed: bool
    revision: int
    stages: tuple[Stage, ...] = ()
    verdict: Verdict | None = None
    smoke: int = 0


@dataclass
class Rollout:
    """A deployment under way, by whoever holds the release's lease.

    Args:
        helm: The release.
        cluster: Where it is.
        lease: The lease.
        share: Share of a group's pods that is canary.
        timeout_s: Longest that pods may take to be ready, in seconds.
        progress: Is told how it goes.
    """

    helm: Helm
    cluster: Cluster
    lease: LeaseLock
    share: float
    timeout_s: float
    progress: Progress
    _stages: list[Stage] = field(default_factory=list)

    def settle(self) -> Values | None:
        """What is released, after putting in order what a deployer that was killed has left.

        Returns:
            The chart's values; None where nothing is released.
        """
        told = self.helm.recover()
        if told:
            self.progress.note(told)
        revisions = [each for each in reversed(self.helm.history()) if each.status in {"deployed", "superseded"}]
        if not revisions:
            return None
        values = self.helm.values(revisions[0].revision)
        if settled(values):
            return values
        for revision in revisions[1:]:
            earlier = self.helm.values(revision.revision)
            if settled(earlier):
                self.progress.note(
                    f"an earlier deployment was not finished (revision {revisions[0].revision}: "
                    f"{revisions[0].description}): back to revision {revision.revision}"
                )
                self._back_to(revision.revision)
                return earlier
        self.progress.note("the first installation was not finished: it is removed")
        self._remove()
        return None

    def to(self, current: Values | None, target: Values, proof: Proof | None) -> Outcome:
        """Release `target` in place of `current`.

        Args:
            current: What is released, settled; None: nothing.
            target: What shall be.
            proof: What new pods must stand; None: they answered before, so that it is enough that they get ready.

        Raises:
            DeployError: they did not stand it; what answered before answers again.
            LostError: somebody else took over the release meanwhile.
        """
        if current is None:
            return self._install(target, proof)
        revision, way = self._latest(), route(self.helm, current, target)
        if way.ends_at_once:
            return Outcome(False, revision)
        if way.moves is not None:
            added, switched = way.moves
            with self._or_back_to(revision):
                self._upgrade("add", added, "pods in their new layout are added")
                revision = self._upgrade("switch", switched, "Services are switched to the new layout")
            current = switched
        if not way.changes:
            return self._done(revision)
        if proof is None or not way.renewed:
            with self._or_back_to(revision):
                revision = self._upgrade("replace", target, _change(current, target))
            return self._done(revision)
        return self._with_canary(current, target, proof, self._canary_pods(way.renewed))

    def _with_canary(self, current: Values, target: Values, proof: Proof, replicas: Mapping[str, int]) -> Outcome:
        revision, groups = self._latest(), sorted(replicas)
        change = _change(current, target)
        verdict = None
        with self._or_back_to(revision):
            self._upgrade("canary", with_canary(current, target, replicas, STABLE), f"canary of {change}")
            with self._timed("smoke test"):
                asked = proof.smoke(groups, CANARY)
            if proof.bake_s:
                joined = with_canary(current, target, replicas, ALL)
                self._upgrade("join", joined, f"canary of {change} passed its smoke test and joins the Services")
                with self._timed("bake"):
                    verdict = proof.bake(groups)
            promoted = with_canary(target, None, replicas, ALL)
            self._upgrade("promote", promoted, f"{change} is promoted")
            revision = self._upgrade("finish", target, change)
        return self._done(revision, verdict, asked)

    def _install(self, target: Values, proof: Proof | None) -> Outcome:
        asked = 0
        try:
            self._upgrade("install", {**target, "traffic": NONE}, "first installation, before its smoke test")
            if proof is not None:
                with self._timed("smoke test"):
                    asked = proof.smoke(sorted(proof.skills), STABLE)
            revision = self._upgrade("open", {**target, "traffic": STABLE}, _change({}, target))
        except LostError:
            raise
        except BaseException as err:
            self._remove()
            if not isinstance(err, CoachworksError):
                raise
            raise DeployError(f"{err}\nThere was nothing before, so that the release is removed again.") from err
        return self._done(revision, None, asked)

    def _done(self, revision: int, verdict: Verdict | None = None, asked: int = 0) -> Outcome:
        return Outcome(True, revision, tuple(self._stages), verdict, asked)

    def _canary_pods(self, renewed: Mapping[str, int]) -> dict[str, int]:
        """Pods of each group's canary: its share of all the group's pods, one at least."""
        there = {each.group: each.desired for each in self.cluster.deployments() if each.track == STABLE}
        shares = {group: there.get(group, wanted) * self.share / (1 - self.share) for group, wanted in renewed.items()}
        return {group: max(1, math.floor(share + 0.5)) for group, share in shares.items()}

    def _upgrade(self, stage: str, values: Values, description: str) -> int:
        self.lease.check()
        with self._timed(stage) as took:
            took.revision = self.helm.upgrade(values, description)
            self.progress.note(f"revision {took.revision}: {description}")
            self._wait(self.helm.manifest())
        return took.revision

    def _wait(self, manifest: str, *, fail_fast: bool = True) -> None:
        wait_until_ready(
            self.cluster,
            read_deployments(manifest).names,
            timeout_s=self.timeout_s,
            progress=self.progress,
            fail_fast=fail_fast,
        )

    @contextmanager
    def _timed(self, name: str) -> "Iterator[_Took]":
        took, start = _Took(), time.monotonic()
        yield took
        self._stages.append(Stage(name, took.revision, round(time.monotonic() - start, 1)))

    @contextmanager
    def _or_back_to(self, revision: int) -> Iterator[None]:
        """On any failure, Ctrl-C included, back to `revision`."""
        try:
            yield
        except LostError:  # whoever has the release now will put it in order
            raise
        except BaseException as err:
            self.progress.note(f"back to revision {revision}")
            self._back_to(revision)
            if not isinstance(err, CoachworksError):
                raise
            kept = ", ".join(f"{skill} v{version}" for skill, version in versions(self.helm.values(revision)).items())
            raise DeployError(f"{err}\nWhat answered before answers again: {kept} (revision {revision}).") from err

    def _back_to(self, revision: int) -> None:
        now = read_deployments(self.helm.manifest())
        self.helm.recover()
        self.helm.rollback(revision)
        manifest = self.helm.manifest()
        self._wait(manifest, fail_fast=False)
        removed = [name for name in now.names if name not in read_deployments(manifest).names]
        wait_until_gone(self.cluster, removed, timeout_s=self.timeout_s)

    def _remove(self) -> None:
        names = read_deployments(self.helm.manifest()).names if self.helm.history() else []
        self.helm.uninstall()
        wait_until_gone(self.cluster, names, timeout_s=self.timeout_s)

    def _latest(self) -> int:
        latest = self.helm.status()
        return latest.revision if latest else 0


@dataclass
class _Took:
    revision: int = 0


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs, for people who read `helm history`: `3f2a91c0de47: view 3 → 4, wheel new`."""
    before, after = versions(old), versions(new)
    told = [
        f"{skill} {before[skill]} → {version}" if skill in before else f"{skill} {version}"
        for skill, version in after.items()
        if before.get(skill) != version
    ]
    told += [f"without {skill}" for skill in before if skill not in after]
    named = str(new.get("release", ""))
    most = 6
    shown = [*told[:most], *([f"and {len(told) - most} more"] if len(told) > most else [])]
    return f"{named}: {', '.join(shown) or 'the same models'}"
