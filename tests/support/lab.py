"""A real cluster for tests: its commands and addresses, from the scripts in the folder `COACHWORKS_LAB`."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

T = TypeVar("T")
PIPELINES = "kubeflow"  # the namespace of Kubeflow Pipelines and its runs
S3_KEY, S3_SECRET, S3_REGION = "minio", "minio123", "minio"  # of the S3 server that the lab brings


@dataclass(frozen=True)
class Lab:
    """A running cluster.

    Attributes:
        scripts: The folder of the lab's scripts.
        environ: Output of `up`: KUBECONFIG, PATH, KFP_ENDPOINT, KFP_UI.
    """

    scripts: Path
    environ: dict[str, str] = field(repr=False)

    @property
    def node(self) -> str:
        """Address of the node, for pods too."""
        return str(urlsplit(self.environ["KFP_ENDPOINT"]).hostname)

    @property
    def s3(self) -> str:
        """URL of the S3 server, for this machine and for pods."""
        return f"http://{self.node}:19000"

    @property
    def client(self) -> dict[str, str]:
        """Environment of a person who works with the cluster."""
        return {
            **os.environ,
            **self.environ,
            "KF_PIPELINES_ENDPOINT": self.environ["KFP_ENDPOINT"],
            "KF_PIPELINES_UI_ENDPOINT": self.environ.get("KFP_UI", self.environ["KFP_ENDPOINT"]),
            "AWS_ACCESS_KEY_ID": S3_KEY,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_REGION": S3_REGION,
            "AWS_ENDPOINT_URL": self.s3,
        }

    def call(self, *command: str, text: str | None = None, timeout: float = 300, check: bool = True) -> str:
        """Run a command with the cluster's environment; return its standard output."""
        done = subprocess.run(
            command, env=self.client, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        return self.call("kubectl", *arguments, text=text, check=check)

    def get(self, *arguments: str) -> Any:
        """Return the parsed output of `kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def coachworks(
        self, *arguments: str | Path, cwd: Path, environ: dict[str, str] | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run `coachworks` in a process of its own, with the cluster's environment."""
        command = [sys.executable, "-m", "coachworks.cli.main", *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.client | (environ or {}),
            capture_output=True,
            text=True,
            cwd=cwd,
            check=False,
            timeout=timeout,
        )


@contextmanager
def running_lab() -> Iterator[Lab]:
    """Start the cluster with Kubeflow Pipelines, and stop it if it was not running before.

    Tests are skipped where `COACHWORKS_LAB` is not set; where it is, they fail if the cluster does not start.
    """
    scripts = os.environ.get("COACHWORKS_LAB")
    if not scripts:
        pytest.skip("no cluster: COACHWORKS_LAB is not set")
    was_up = is_up()
    try:
        yield Lab(Path(scripts), read_environment(_up(scripts)))
    finally:
        if not was_up:
            subprocess.run([f"{scripts}/down"], check=True, timeout=120)


def _up(scripts: str) -> str:
    """Run the script that starts the cluster; return what it prints, or fail with the end of its log."""
    with TemporaryFile("w+") as log:  # not a pipe: the parts of the cluster may keep it open
        up = subprocess.run(
            [f"{scripts}/up", "--kfp"], stdout=subprocess.PIPE, stderr=log, text=True, check=False, timeout=900
        )
        if up.returncode:
            log.seek(0)
            end = "".join(log.readlines()[-20:])
            pytest.fail(
                f"no cluster: {scripts}/up ended with exit status {up.returncode}; its last lines:\n{end}"
                "Unset COACHWORKS_LAB to skip the tests that need a cluster.",
                pytrace=False,
            )
        return up.stdout


def read_environment(text: str) -> dict[str, str]:
    """Return the variables that `up` prints as shell settings."""
    variables = {}
    for line in text.splitlines():
        for word in shlex.split(line.removeprefix("export ")):
            name, _, value = word.partition("=")
            variables[name] = value.replace("$PATH", os.environ["PATH"])
    return variables


def is_up() -> bool:
    """Return whether a cluster of the lab runs already: then it keeps running afterwards."""
    return any(b"kube-apiserver" in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return b""


def until(what: str, ask: Callable[[], T | None], *, within_s: float, every_s: float = 1.0) -> T:
    """Call `ask` until it returns a true value; return that."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        value = ask()
        if value:
            return value
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {within_s:.0f} s")
