"""Time and memory of a backbone on this machine, measured in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import CoachworksError
from coachworks.settings import child_environment
from coachworks.store import Store

_WARM_UP = 3
_LONGEST_S = 5.0  # as many photos as fit


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of answers with a backbone.

    Attributes:
        ms_per_photo: Median time from the bytes of a photo to its features, one photo at a time on all cores.
        memory_mib: Largest memory of the process that computed them.
    """

    ms_per_photo: float
    memory_mib: float


def cost(store: Store, digest: str, keys: Sequence[str]) -> Cost:
    """Return the cost of the converted backbone `digest` for the photos at `keys`.

    Raises:
        CoachworksError: the process failed.
    """
    command = [sys.executable, "-m", "components.embed.probing.timing", store.uri, digest, *keys]
    done = subprocess.run(  # noqa: S603 — our own interpreter and module
        command, capture_output=True, text=True, env=child_environment(), check=False
    )
    if done.returncode:
        raise CoachworksError(f"the backbone's time cannot be measured: {done.stderr.strip()[-1000:]}")
    return Cost(**json.loads(done.stdout))


def main(arguments: Sequence[str]) -> None:
    """Run `python -m components.embed.probing.timing STORE DIGEST KEY…`, which `cost` starts; print JSON."""
    import numpy as np

    from coachworks.cpu_limit import usable_cores
    from coachworks.models.backbone import fetch_onnx, read_backbone
    from coachworks.models.preprocess import features_input
    from coachworks.models.session import open_session, run_session
    from coachworks.store import open_store

    uri, digest, *keys = arguments
    store = open_store(uri)
    spec = read_backbone(store, digest)
    session = open_session(fetch_onnx(store, spec), usable_cores())
    photos = [store.read(key) for key in keys]
    times: list[float] = []
    end = time.perf_counter() + _LONGEST_S
    for photo in [*photos[:_WARM_UP], *photos]:
        started = time.perf_counter()
        if started > end and len(times) > _WARM_UP:
            break
        run_session(session, features_input(photo, spec)[None])
        times.append(time.perf_counter() - started)
    measured = times[_WARM_UP:] or times
    print(json.dumps({"ms_per_photo": float(np.median(measured)) * 1000, "memory_mib": _largest_mib()}))  # noqa: T201


def _largest_mib() -> float:
    """Return the largest memory of this process, in MiB."""
    if sys.platform == "linux":  # `ru_maxrss` includes what the parent had when it started this process
        [line] = [line for line in Path("/proc/self/status").read_text("ascii").splitlines() if "VmHWM" in line]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main(sys.argv[1:])
