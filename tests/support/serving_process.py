"""A server in a process of its own: `python -m serving.launcher` with a bundle, as in a pod."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from coachworks.child_server import free_port, http_status

SKILL_PORTS = ("colour", "light")


@dataclass(frozen=True)
class ServingProcess:
    """A running server.

    Attributes:
        process: `bentoml serve`.
        ports: Its ports: `all`, and one per skill.
        log: What it writes.
    """

    process: "subprocess.Popen[bytes]"
    ports: dict[str, int]
    log: Path

    @property
    def port(self) -> int:
        """The main port."""
        return self.ports["all"]

    def worker(self) -> psutil.Process:
        """Return the process that answers."""
        [worker] = psutil.Process(self.process.pid).children()
        return worker


@contextmanager
def serving_process(
    folder: Path,
    bundle: Path,
    settings: Mapping[str, object] | None = None,
    *,
    skills: tuple[str, ...] = SKILL_PORTS,
    open_files: int | None = None,
    cores: frozenset[int] = frozenset(),
    python: str = sys.executable,
    start_timeout_s: float = 60,
) -> Iterator[ServingProcess]:
    """Serve `bundle` until the end of the block, which begins once the server is ready.

    Args:
        folder: An empty folder, for its configuration and its log.
        bundle: The packaged models.
        settings: Settings of the service, such as `max_queue`.
        skills: Skills with a port of their own.
        open_files: Largest number of files that its processes may open.
        cores: Those that its processes may use; none: all.
        python: The interpreter, with the code to run.
        start_timeout_s: Longest time until it is ready, in seconds.
    """
    ports = {name: free_port() for name in ("all", *skills)}
    release = folder / "release"
    release.mkdir(parents=True)
    (release / "manifest.json").write_bytes((bundle / "manifest.json").read_bytes())
    pods = {"group": "shared", "track": "stable", "ports": {skill: ports[skill] for skill in skills}}
    (release / "pods.json").write_text(json.dumps(pods))
    environ = {
        **os.environ,
        "COACHWORKS_RELEASE": str(release),
        "COACHWORKS_BUNDLE": str(bundle),
        "COACHWORKS_DRAINING": str(folder / "draining"),
        "BENTOML_HOME": str(folder / "home"),
        **{f"COACHWORKS_SERVING_{name.upper()}": str(value) for name, value in (settings or {}).items()},
    }

    def limit() -> None:
        if open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
        if cores:
            os.sched_setaffinity(0, cores)

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "serving.launcher", "--host", "127.0.0.1", "--port", str(ports["all"])],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=limit,
        )
    try:
        deadline = time.monotonic() + start_timeout_s
        while http_status("127.0.0.1", ports["all"], "/readyz") != 200:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield ServingProcess(process, ports, folder / "log")
    finally:
        process.terminate()
        process.wait(30)
