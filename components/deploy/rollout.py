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

Every revision is waited for until its pods are ready. The state of a rollout is read from the release, never kept
elsewhere.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from coachworks.errors import CoachworksError
from coachworks.progress import Progress
from coachworks.wording import listed
from components.deploy.canary.checks import CanaryChecks
from components.deploy.canary.metrics import CANARY, STABLE, SoakResult
from components.deploy.cluster.lease import LeaseLock, LostError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.readiness import wait_until_gone, wait_until_ready
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import parse_objects
from components.deploy.report import Stage
from components.deploy.revisions import newest_complete
from components.deploy.rollout_plan import RolloutPlan
from components.deploy.target.values import FleetValues, read_values, with_canary

_LISTED_CHANGES = 6  # in the description of a revision, which is one line of `helm history`


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
    """

    changed: bool
    revision: int
    stages: tuple[Stage, ...] = ()
    soak: SoakResult | None = None
    smoke: int = 0


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
            LostError: another deployer took over the release.
        """
        if plan.current is None:
            return self._install(plan.target, checks)
        revision, current = self._latest(), plan.current
        if plan.up_to_date:
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
                revision = self._upgrade("replace", plan.target, _describe_change(current, plan.target))
            return self._result(revision)
        return self._run_canary(current, plan.target, checks, self._canary_pods(plan.renewed))

    def _run_canary(
        self, current: FleetValues, target: FleetValues, checks: CanaryChecks, replicas: Mapping[str, int]
    ) -> RolloutResult:
        revision, groups = self._latest(), sorted(replicas)
        change = _describe_change(current, target)
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
            self._upgrade("promote", promoted, f"{change} is promoted")
            revision = self._upgrade("finish", target, change)
        return self._result(revision, soak, asked)

    def _install(self, target: FleetValues, checks: CanaryChecks | None) -> RolloutResult:
        asked = 0
        try:
            self._upgrade("install", target.with_traffic("none"), "first installation, before its smoke test")
            if checks is not None:
                with self._timed("smoke test"):
                    asked = checks.smoke(sorted(checks.skills), STABLE)
            revision = self._upgrade("open", target.with_traffic("stable"), _describe_change(None, target))
        except LostError:
            raise
        except BaseException as err:  # Ctrl-C included
            self._remove()
            if not isinstance(err, CoachworksError):
                raise
            raise DeployError(f"{err}\nNothing was deployed before, so the release is removed again.") from err
        return self._result(revision, None, asked)

    def _result(self, revision: int, soak: SoakResult | None = None, asked: int = 0) -> RolloutResult:
        return RolloutResult(True, revision, tuple(self._stages), soak, asked)

    def _canary_pods(self, renewed: Mapping[str, int]) -> dict[str, int]:
        """Return the number of each group's canary pods: its share of all the group's pods, at least one."""
        # An autoscaler may have changed the number of stable pods since the revision was applied.
        stable = {each.group: each.desired for each in self.cluster.deployments() if each.track == STABLE}
        shares = {group: stable.get(group, pods) * self.share / (1 - self.share) for group, pods in renewed.items()}
        return {group: max(1, math.floor(share + 0.5)) for group, share in shares.items()}

    def _upgrade(self, stage: str, values: FleetValues, description: str) -> int:
        self.lease.check()
        with self._timed(stage) as timer:
            timer.revision = self.helm.upgrade(values.to_json(), description)
            self.progress.note(f"revision {timer.revision}: {description}")
            self._wait(parse_objects(self.helm.manifest()).deployment_names)
        return timer.revision

    def _wait(self, deployments: list[str], *, fail_fast: bool = True) -> None:
        wait_until_ready(
            self.cluster, deployments, timeout_s=self.timeout_s, progress=self.progress, fail_fast=fail_fast
        )

    @contextmanager
    def _timed(self, name: str) -> "Iterator[_StageTimer]":
        timer, start = _StageTimer(), time.monotonic()
        yield timer
        self._stages.append(Stage(name, timer.revision, round(time.monotonic() - start, 1)))

    @contextmanager
    def _rollback_on_failure(self, revision: int) -> Iterator[None]:
        """Roll back to `revision` on any failure, Ctrl-C included."""
        try:
            yield
        except LostError:  # the deployer that holds the lease now puts the release in order
            raise
        except BaseException as err:
            self.progress.note(f"back to revision {revision}")
            self._roll_back_to(revision)
            if not isinstance(err, CoachworksError):
                raise
            versions = read_values(self.helm.values(revision)).versions
            listed = ", ".join(f"{skill} v{version}" for skill, version in versions.items())
            raise DeployError(f"{err}\nThe earlier versions serve again: {listed} (revision {revision}).") from err

    def _roll_back_to(self, revision: int) -> None:
        deployed = parse_objects(self.helm.manifest()).deployment_names
        self.helm.recover()
        self.helm.rollback(revision)
        restored = parse_objects(self.helm.manifest()).deployment_names
        self._wait(restored, fail_fast=False)
        removed = [name for name in deployed if name not in restored]
        wait_until_gone(self.cluster, removed, timeout_s=self.timeout_s)

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


def _describe_change(old: FleetValues | None, new: FleetValues) -> str:
    """Describe a change for `helm history`: `3f2a91c0de47: view 3 → 4, wheel 1`."""
    before, after = old.versions if old is not None else {}, new.versions
    changes = [
        f"{skill} {before[skill]} → {version}" if skill in before else f"{skill} {version}"
        for skill, version in after.items()
        if before.get(skill) != version
    ]
    changes += [f"without {skill}" for skill in before if skill not in after]
    return f"{new.release_digest}: {listed(changes, _LISTED_CHANGES) or 'the same models'}"
