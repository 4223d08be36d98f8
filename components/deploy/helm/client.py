"""Client of one Helm release: runs the command `helm`."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from coachworks.yaml_text import yaml_text
from components.deploy.helm.binary import find_helm, helm_version
from components.deploy.helm.failures import HelmError, UnfinishedError, translate_failure

__all__ = ["Helm", "HelmError", "Revision", "UnfinishedError"]

_PENDING = {"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"}
_SUCCEEDED = {"deployed", "superseded"}


@dataclass(frozen=True, kw_only=True)
class Revision:
    """Revision of a release, as its history lists it.

    Attributes:
        number: Its number.
        status: `deployed`, `superseded`, `failed`, `pending-install`, `pending-upgrade`, `pending-rollback`,
            `uninstalling`.
        updated: Time of its last change, as Helm writes it (RFC 3339).
        description: Description that the deployer gave it.
    """

    number: int
    status: str
    updated: str
    description: str

    @property
    def pending(self) -> bool:
        """True if its install, upgrade, rollback or removal is in progress, or was killed."""
        return self.status in _PENDING

    @property
    def succeeded(self) -> bool:
        """True if Helm applied it without an error: it is, or was, deployed."""
        return self.status in _SUCCEEDED


class Helm:
    """A release in a namespace of the cluster that the environment selects.

    Args:
        namespace: Its namespace.
        release: Its name.
        chart: Folder or package of its chart; needed for `template` and `upgrade`.
        keep: Number of revisions that its history keeps.
        timeout_s: Time limit of one helm command, in seconds.
        environ: Environment with the paths of helm and the kubeconfig, and the context.
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

    def status(self) -> Revision | None:
        """Return the latest revision, or None where the release is not installed."""
        latest = self._history("--max", "1")
        return latest[-1] if latest else None

    def history(self) -> list[Revision]:
        """Return the revisions that are kept, the oldest first; none where the release is not installed."""
        return self._history("--max", "256")

    def values(self, revision: int | None = None) -> dict[str, Any]:
        """Return the values that a revision (None: the latest) was made with.

        Raises:
            NotFoundError: there is no such revision.
        """
        return dict(json.loads(self._get("values", revision, "--output", "json")) or {})

    def manifest(self, revision: int | None = None) -> str:
        """Return the objects of a revision (None: the latest) as YAML.

        Raises:
            NotFoundError: there is no such revision.
        """
        return self._get("manifest", revision)

    def template(self, values: Mapping[str, Any]) -> str:
        """Render the objects that `upgrade` would apply, as YAML, without a request to the cluster."""
        flags = ["--is-upgrade", "--no-hooks", "--skip-tests"]
        return self._run("template", self.release, self._chart(), *flags, "--values", "-", values=values)

    def upgrade(self, values: Mapping[str, Any], description: str) -> int:
        """Install the release or upgrade it to `values`, without waiting for pods; return the new revision's number.

        Raises:
            UnfinishedError: another install, upgrade or rollback is in progress.
            HelmError: Helm or Kubernetes refuses it.
        """
        flags = ["--install", "--reset-values", "--values", "-", "--description", description]
        flags += ["--history-max", str(self._keep), "--output", "json", *self._apply_flags()]
        reply = json.loads(self._run("upgrade", self.release, self._chart(), *flags, values=values))
        return int(reply["version"])

    def rollback(self, revision: int) -> int:
        """Apply an earlier revision again, without waiting for pods; return the new revision's number.

        Raises:
            NotFoundError: there is no such revision.
            HelmError: Helm or Kubernetes refuses it.
        """
        flags = ["--history-max", str(self._keep), *self._apply_flags()]
        self._run("rollback", self.release, str(revision), *flags)
        latest = self.status()
        if latest is None:
            raise NotFoundError(f"the release {self.release!r} was removed while it was rolled back")
        return latest.number

    def uninstall(self) -> None:
        """Remove the release and its history, if there is one."""
        self._run("uninstall", self.release, "--ignore-not-found")

    def recover(self) -> str | None:
        """Undo a pending install, upgrade or rollback: back to the last revision that succeeded, or remove the release.

        Call it only with the release's lease: Helm cannot distinguish a killed deployer from one at work.

        Returns:
            A message about what was done; None where nothing was pending.
        """
        history = self.history()
        if not history or not history[-1].pending:
            return None
        cause = f"revision {history[-1].number} was left unfinished ({history[-1].status})"
        succeeded = [revision.number for revision in history if revision.succeeded]
        if history[-1].status == "uninstalling" or not succeeded:
            self.uninstall()
            return f"{cause}: removed the release"
        number = self.rollback(succeeded[-1])
        return f"{cause}: back to revision {succeeded[-1]}, as revision {number}"

    def _known_version(self) -> tuple[int, ...]:
        if not self._version:
            self._version = helm_version(find_helm(self._environ))
        return self._version

    def _apply_flags(self) -> list[str]:
        """Return flags that overwrite manual changes; Helm 4 needs --force-conflicts for that."""
        return ["--server-side=true", "--force-conflicts"] if self._known_version() >= (4,) else []

    def _chart(self) -> str:
        if self.chart is None or not self.chart.exists():
            raise InvalidConfigError(f"there is no chart at {self.chart}: name the folder or package of the chart")
        return str(self.chart)

    def _history(self, *flags: str) -> list[Revision]:
        try:
            lines = json.loads(self._run("history", self.release, "--output", "json", *flags))
        except NotFoundError:
            return []
        return [
            Revision(
                number=int(line["revision"]),
                status=str(line["status"]),
                updated=str(line["updated"]),
                description=str(line["description"]),
            )
            for line in sorted(lines, key=lambda line: int(line["revision"]))
        ]

    def _get(self, what: str, revision: int | None, *flags: str) -> str:
        chosen = () if revision is None else ("--revision", str(revision))
        return self._run("get", what, self.release, *chosen, *flags)

    def _run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Run a helm command and return its output; values go through a pipe, not to the command line or a file."""
        self._known_version()
        return run(
            [find_helm(self._environ), *arguments, "--namespace", self.namespace],
            self._environ,
            timeout_s=self._timeout_s,
            stdin=None if values is None else yaml_text(values),
            release=self.release,
            namespace=self.namespace,
        )


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    timeout_s: float,
    stdin: str | None,
    release: str,
    namespace: str,
) -> str:
    """Run a helm command and return its output.

    Raises:
        TransientError: it exceeds the time limit, or the cluster does not answer.
        CoachworksError: it fails.
    """
    try:
        done = subprocess.run(  # noqa: S603 — the user's own helm
            command,
            env=dict(environ),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as err:
        raise TransientError(
            f"`helm {command[1]}` of {release!r} has not ended in {timeout_s:.0f} s. Try again."
        ) from err
    if done.returncode:
        raise translate_failure(done.stderr or done.stdout, release=release, namespace=namespace)
    return done.stdout
