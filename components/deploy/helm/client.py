"""Helm, as coachworks uses it: every call of its command is made here."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from components.deploy.helm.binary import find_helm, helm_version
from components.deploy.helm.failures import HelmError, UnfinishedError, translation

__all__ = ["Helm", "HelmError", "Revision", "UnfinishedError"]

_UNFINISHED = {"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"}
_GOOD = ("deployed", "superseded")


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One line of a release's history.

    Attributes:
        revision: Its number.
        status: `deployed`, `superseded`, `failed`, `pending-install`, `pending-upgrade`, `pending-rollback`,
            `uninstalling`.
        updated: When, as Helm writes it (RFC 3339).
        description: What was said when it was made.
    """

    revision: int
    status: str
    updated: str
    description: str

    @property
    def pending(self) -> bool:
        """Whether whoever made it has not finished, or was killed."""
        return self.status in _UNFINISHED


class Helm:
    """One release in one namespace of the cluster that the environment names.

    Args:
        namespace: Where it is.
        release: Its name.
        chart: Folder or package of its chart; needed for `template` and `upgrade`.
        keep: How many revisions its history keeps.
        timeout_s: Longest that one command of helm may take.
        environ: The environment: where helm, the kubeconfig and its context are.
    """

    def __init__(
        self,
        namespace: str,
        release: str,
        chart: Path | None = None,
        *,
        keep: int = 10,
        timeout_s: float = 300,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.namespace, self.release, self.chart = namespace, release, chart
        self._keep, self._timeout_s, self._environ = keep, timeout_s, environ
        self._version: tuple[int, ...] = ()

    def version(self) -> str:
        """The version of the command, as 4.1.4.

        Raises:
            InvalidConfigError: there is no helm, or it is too old.
        """
        return ".".join(map(str, self._known_version()))

    def status(self) -> Revision | None:
        """The latest revision, or None where the release is not installed."""
        latest = self._history("--max", "1")
        return latest[-1] if latest else None

    def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first; none where the release is not installed."""
        return self._history("--max", "256")

    def values(self, revision: int | None = None) -> dict[str, Any]:
        """The values that a revision (None: the latest) was made with.

        Raises:
            NotFoundError: there is no such revision.
        """
        return dict(json.loads(self._get("values", revision, "--output", "json")) or {})

    def manifest(self, revision: int | None = None) -> str:
        """The objects of a revision (None: the latest) as YAML.

        Raises:
            NotFoundError: there is no such revision.
        """
        return self._get("manifest", revision)

    def template(self, values: Mapping[str, Any]) -> str:
        """The objects that `upgrade` would make of these values, as YAML; asks no cluster."""
        flags = ["--is-upgrade", "--no-hooks", "--skip-tests"]
        return self._run("template", self.release, self._chart(), *flags, "--values", "-", given=values)

    def upgrade(self, values: Mapping[str, Any], description: str) -> int:
        """Make a new revision, the first where there is none; its number. Waits for no pod.

        Raises:
            UnfinishedError: somebody else's revision is not finished.
            HelmError: Helm or Kubernetes refuses it.
        """
        flags = ["--install", "--reset-values", "--values", "-", "--description", description]
        flags += ["--history-max", str(self._keep), "--output", "json", *self._apply_flags()]
        made = json.loads(self._run("upgrade", self.release, self._chart(), *flags, given=values))
        return int(made["version"])

    def rollback(self, revision: int) -> int:
        """Make a new revision equal to an earlier one; its number. Waits for no pod.

        Raises:
            NotFoundError: there is no such revision.
            HelmError: Helm or Kubernetes refuses it.
        """
        flags = ["--history-max", str(self._keep), *self._apply_flags()]
        self._run("rollback", self.release, str(revision), *flags)
        latest = self.status()
        if latest is None:
            raise NotFoundError(f"the release {self.release!r} was removed while it was rolled back")
        return latest.revision

    def uninstall(self) -> None:
        """Remove the release and its history; nothing where there is none."""
        self._run("uninstall", self.release, "--ignore-not-found")

    def recover(self) -> str | None:
        """End what somebody left unfinished: back to the last good revision, or to nothing where there is none.

        Only for whoever holds the release's lease: Helm cannot tell a killed deployer from one at work.

        Returns:
            What was done; None where nothing was unfinished.
        """
        found = self.history()
        if not found or not found[-1].pending:
            return None
        left = f"revision {found[-1].revision} was left unfinished ({found[-1].status})"
        good = [made.revision for made in found if made.status in _GOOD]
        if found[-1].status == "uninstalling" or not good:
            self.uninstall()
            return f"{left}: removed the release"
        made = self.rollback(good[-1])
        return f"{left}: back to revision {good[-1]}, as revision {made}"

    def _known_version(self) -> tuple[int, ...]:
        if not self._version:
            self._version = helm_version(find_helm(self._environ))
        return self._version

    def _apply_flags(self) -> list[str]:
        """What is in the release goes before what somebody changed by hand: Helm 4 refuses unless told so."""
        return ["--server-side=true", "--force-conflicts"] if self._known_version() >= (4,) else []

    def _chart(self) -> str:
        if self.chart is None or not self.chart.exists():
            raise InvalidConfigError(f"there is no chart at {self.chart}: name the folder or package of the chart")
        return str(self.chart)

    def _history(self, *flags: str) -> list[Revision]:
        try:
            told = json.loads(self._run("history", self.release, "--output", "json", *flags))
        except NotFoundError:
            return []
        return [
            Revision(
                revision=int(line["revision"]),
                status=str(line["status"]),
                updated=str(line["updated"]),
                description=str(line["description"]),
            )
            for line in sorted(told, key=lambda line: int(line["revision"]))
        ]

    def _get(self, what: str, revision: int | None, *flags: str) -> str:
        chosen = () if revision is None else ("--revision", str(revision))
        return self._run("get", what, self.release, *chosen, *flags)

    def _run(self, *arguments: str, given: Mapping[str, Any] | None = None) -> str:
        """What a command of helm prints; values go to it through a pipe, never on the command line or to a disk."""
        self._known_version()
        return run(
            [find_helm(self._environ), *arguments, "--namespace", self.namespace],
            self._environ,
            timeout_s=self._timeout_s,
            given=None if given is None else json.dumps(given),
            release=self.release,
            namespace=self.namespace,
        )


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    timeout_s: float,
    given: str | None,
    release: str,
    namespace: str,
) -> str:
    """What a command of helm prints.

    Raises:
        TransientError: it does not end, or the cluster does not answer.
        CoachworksError: it fails.
    """
    try:
        done = subprocess.run(  # noqa: S603 — the user's own helm
            command,
            env=dict(environ),
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as err:
        raise TransientError(
            f"`helm {command[1]}` of {release!r} has not ended in {timeout_s:.0f} s. Try again."
        ) from err
    if done.returncode:
        raise translation(done.stderr or done.stdout, release=release, namespace=namespace)
    return done.stdout
