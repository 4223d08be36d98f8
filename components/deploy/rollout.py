"""Rollout from one complete revision of the Helm release to the next, with automatic rollback on failure.

The order of the revisions is the safeguard. Killed between any two of them, the stable pods serve a version that
passed its checks, and the next deployer undoes what is left (`Rollout.undo_interrupted`):

1. `add`, where skills move between shared pods and their own: the new pods, while Services select the old ones;
2. `switch`, likewise: Services select the new pods, and the old ones are removed;
3. `canary`: canary pods of the target beside the stable pods, without traffic, for the smoke test;
4. `join`: Services select the canary pods too, for the soak; left out where the soak takes no time;
5. `promote`: the stable pods are replaced by those of the target, while the canary pods serve;
6. `finish`: Services select the stable pods only, and the canary pods are removed.

Where no pod changes, or where the target was deployed before, one revision (`replace`) takes the place of 3 to 6. A
first installation has two revisions: `install`, pods that no Service selects, for the smoke test; then `open`.

Every revision is waited for until its pods are ready, those included that an autoscaler must keep. Changes by hand
(`drift`) are taken back by `promote` or `replace`, one pod after the other, and are there again after a rollback. The
state of a rollout is read from the release, never kept elsewhere.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from coachworks.errors import CoachworksError
from coachworks.progress import Progress
from components.deploy.canary.checks import CanaryChecks
from components.deploy.canary.metrics import CANARY, STABLE, SoakResult
from components.deploy.cluster.lease import LeaseLock, LostError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.readiness import RolloutError, wait_until_gone, wait_until_ready
from components.deploy.drift import Drift, mend, restore, scale
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import RenderedObjects, parse_objects
from components.deploy.report import Stage
from components.deploy.revisions import newest_complete
from components.deploy.rollout_plan import RolloutPlan
from components.deploy.target.values import FleetValues, read_values, with_canary


class DeployError(CoachworksError):
    """A version was not deployed; the release was rolled back."""


@dataclass(frozen=True)
class RolloutResult:
    """Result of a rollout.

    Attributes:
        changed: Whether there was anything to do.
        revision: Number of the deployed revision.
        stages: The stages, in order.
        soak: Result of the soak; None without one.
        smoke: Number of answers that the smoke test compared.
        drift: Changes by hand that were taken back.
    """

    changed: bool
    revision: int
    stages: tuple[Stage, ...] = ()
    soak: SoakResult | None = None
    smoke: int = 0
    drift: Drift = field(default_factory=Drift)


@dataclass
class Rollout:
    """Rollout by the holder of the release's lease.

    Args:
        helm: The release.
        cluster: Its namespace.
        lease: The lease.
        share: Share of a group's pods that are canary pods.
        timeout_s: Longest wait for pods to be ready, in seconds.
        progress: Receives progress updates.
    """

    helm: Helm
    cluster: Cluster
    lease: LeaseLock
    share: float
    timeout_s: float
    progress: Progress
    _stages: list[Stage] = field(default_factory=list)
    _drift: Drift = field(default_factory=Drift)

    def undo_interrupted(self) -> FleetValues | None:
        """Undo the rollout of a deployer that was killed, if there is one.

        Returns:
            Values of the newest complete revision, which is deployed now; None where nothing is deployed.
        """
        message = self.helm.recover()
        if message:
            self.progress.note(message)
        latest = next((revision for revision in reversed(self.helm.history()) if revision.succeeded), None)
        if latest is None:
            return None
        complete = newest_complete(self.helm)
        if complete is None:
            self.progress.note("the first installation was not finished: it is removed")
            self._remove()
            return None
        if complete.number != latest.number:
            self.progress.note(
                f"an earlier deployment was not finished (revision {latest.number}: {latest.description}): back to "
                f"revision {complete.number}"
            )
            self._roll_back_to(complete.number)
        return complete.values

    def run(self, plan: RolloutPlan, checks: CanaryChecks | None) -> RolloutResult:
        """Run a planned rollout.

        Args:
            plan: The rollout from the newest complete revision.
            checks: Checks that new pods must pass; None: these pods have served before, so readiness is enough.

        Raises:
            DeployError: a check failed, or pods did not get ready; the release was rolled back.
            RolloutError: there is nothing to change, and pods that the release asks for do not get ready.
            LostError: another deployer took over the release.
        """
        if plan.current is None:
            return self._install(plan, checks)
        revision, current, self._drift = self._latest(), plan.current, plan.drift
        self._note_drift()
        if plan.up_to_date:
            self._wait(plan.deployed_objects)
            return RolloutResult(False, revision)
        if plan.moves is not None:
            added, switched = plan.moves
            with self._rollback_on_failure(revision):
                self._upgrade("add", added, "pods in their new layout are added")
                revision = self._upgrade("switch", switched, "Services are switched to the new layout")
            current = switched
        if not plan.changes:
            return self._result(revision)
        if checks is None or not plan.renewed:
            with self._rollback_on_failure(revision):
                revision = self._upgrade("replace", plan.target, plan.description, mended=True)
            return self._result(revision)
        return self._run_canary(plan, current, checks, self._canary_pods(plan.renewed))

    def _run_canary(
        self, plan: RolloutPlan, current: FleetValues, checks: CanaryChecks, replicas: Mapping[str, int]
    ) -> RolloutResult:
        revision, target, groups = self._latest(), plan.target, sorted(replicas)
        change = plan.description
        soak = None
        with self._rollback_on_failure(revision):
            self._upgrade("canary", with_canary(current, target, replicas, "stable"), f"canary of {change}")
            with self._timed("smoke test"):
                asked = checks.smoke(groups, CANARY)
            if checks.soak_s:
                joined = with_canary(current, target, replicas, "all")
                self._upgrade("join", joined, f"canary of {change} passed its smoke test and joins the Services")
                with self._timed("soak"):
                    soak = checks.soak(groups)
            promoted = with_canary(target, None, replicas, "all")
            self._upgrade("promote", promoted, f"{change} is promoted", mended=True)
            revision = self._upgrade("finish", target, change)
        return self._result(revision, soak, asked)

    def _install(self, plan: RolloutPlan, checks: CanaryChecks | None) -> RolloutResult:
        target, asked = plan.target, 0
        try:
            self._upgrade("install", target.with_traffic("none"), "first installation, before its smoke test")
            if checks is not None:
                with self._timed("smoke test"):
                    asked = checks.smoke(sorted(checks.skills), STABLE)
            revision = self._upgrade("open", target.with_traffic("stable"), plan.description)
        except LostError:
            raise
        except BaseException as err:  # Ctrl-C included
            self._remove()
            if not isinstance(err, CoachworksError):
                raise
            raise DeployError(f"{err}\nNothing was deployed before, so the release is removed again.") from err
        return self._result(revision, None, asked)

    def _result(self, revision: int, soak: SoakResult | None = None, asked: int = 0) -> RolloutResult:
        return RolloutResult(True, revision, tuple(self._stages), soak, asked, self._drift)

    def _note_drift(self) -> None:
        for change in self._drift.changes:
            self.progress.note(f"changed by hand: {change}")
        for name, reason in self._drift.unknown.items():
            self.progress.note(f"{name} could not be compared with the release: {reason}")

    def _canary_pods(self, renewed: Mapping[str, int]) -> dict[str, int]:
        """Return the number of each group's canary pods: its share of all the group's pods, at least one."""
        # An autoscaler may have changed the number of stable pods since the revision was applied.
        stable = {each.group: each.desired for each in self.cluster.deployments() if each.track == STABLE}
        shares = {group: stable.get(group, pods) * self.share / (1 - self.share) for group, pods in renewed.items()}
        return {group: max(1, math.floor(share + 0.5)) for group, share in shares.items()}

    def _upgrade(self, stage: str, values: FleetValues, description: str, *, mended: bool = False) -> int:
        self.lease.check()
        with self._timed(stage) as timer:
            timer.revision = self.helm.upgrade(values.to_json(), description)
            self.progress.note(f"revision {timer.revision}: {description}")
            applied = parse_objects(self.helm.manifest())
            if mended:
                mend(self.cluster, self._drift, applied)
            self._wait(applied)
        return timer.revision

    def _wait(
        self, applied: RenderedObjects, *, fail_fast: bool = True, enough: Mapping[str, int] | None = None
    ) -> None:
        wait_until_ready(
            self.cluster,
            applied.deployment_names,
            autoscaled=applied.autoscaled,
            enough=enough,
            timeout_s=self.timeout_s,
            progress=self.progress,
            fail_fast=fail_fast,
        )

    @contextmanager
    def _timed(self, name: str) -> "Iterator[_StageTimer]":
        timer, start = _StageTimer(), time.monotonic()
        yield timer
        self._stages.append(Stage(name, timer.revision, round(time.monotonic() - start, 1)))

    @contextmanager
    def _rollback_on_failure(self, revision: int) -> Iterator[None]:
        """Roll back to `revision` on any failure, Ctrl-C included."""
        pods = {each.name: each.available for each in self.cluster.deployments()}
        try:
            yield
        except LostError:  # the deployer that holds the lease now puts the release in order
            raise
        except BaseException as err:
            self.progress.note(f"back to revision {revision}")
            try:
                self._roll_back_to(revision, pods)
            except RolloutError as unready:
                raise DeployError(
                    f"{err}\nThe release is at revision {revision} again, whose pods do not get ready either: {unready}"
                ) from err
            if not isinstance(err, CoachworksError):
                raise
            versions = read_values(self.helm.values(revision)).versions
            listed = ", ".join(f"{skill} v{version}" for skill, version in versions.items())
            by_hand = "; what was changed by hand is there again" if self._drift else ""
            raise DeployError(
                f"{err}\nThe earlier versions serve again: {listed} (revision {revision}){by_hand}."
            ) from err

    def _roll_back_to(self, revision: int, pods: Mapping[str, int] | None = None) -> None:
        """Roll back to a revision.

        Args:
            revision: The revision.
            pods: Number of available pods of each Deployment before the deployment that failed. Where an autoscaler
                asks for more, they may be as unable to start as those that failed: no more are waited for.
        """
        deployed = parse_objects(self.helm.manifest()).deployment_names
        self.helm.recover()
        self.helm.rollback(revision)
        restore(self.cluster, self._drift)
        restored = parse_objects(self.helm.manifest())
        self._scale_back(restored, pods or {})
        enough = {name: max(1, pods[name]) for name in restored.autoscaled if pods and name in pods}
        self._wait(restored, fail_fast=False, enough=enough)
        removed = [name for name in deployed if name not in restored.deployment_names]
        wait_until_gone(self.cluster, removed, timeout_s=self.timeout_s)

    def _scale_back(self, restored: RenderedObjects, pods: Mapping[str, int]) -> None:
        """Remove pods that an autoscaler added and that are not available: it would keep them for minutes."""
        for state in self.cluster.deployments():
            fewest = restored.autoscaled.get(state.name)
            kept = max(pods.get(state.name, state.desired), state.available)
            if fewest is not None and fewest <= kept < state.desired:
                scale(self.cluster, restored.by_name["Deployment", state.name], kept)

    def _remove(self) -> None:
        names = parse_objects(self.helm.manifest()).deployment_names if self.helm.history() else []
        self.helm.uninstall()
        wait_until_gone(self.cluster, names, timeout_s=self.timeout_s)

    def _latest(self) -> int:
        latest = self.helm.status()
        return latest.number if latest else 0


@dataclass
class _StageTimer:
    revision: int = 0
