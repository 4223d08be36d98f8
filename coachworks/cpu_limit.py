"""Number of CPU cores that this process may use, with the limit of its container."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
# Numerical libraries read these when they are imported; without them they use all cores of the node, not of the pod.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def usable_cores(*, cgroup: Path = _CGROUP) -> int:
    """Return the number of usable CPU cores, at least 1: the affinity, and in a container the CPU limit."""
    cores = _affinity()
    limit = _cpu_limit(cgroup)
    return cores if limit is None else max(1, min(cores, math.ceil(limit)))


def thread_limits(*, cgroup: Path = _CGROUP) -> dict[str, str]:
    """Return environment variables that apply the CPU limit to numerical libraries; empty without a limit."""
    cores = usable_cores(cgroup=cgroup)
    return dict.fromkeys(_THREADS, str(cores)) if cores < _affinity() else {}


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_limit(cgroup: Path) -> float | None:
    """Return the container's CPU limit in cores, from `cpu.max` (cgroup v2) or the CFS quota (v1); None without one."""
    try:
        quota, period = (cgroup / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        return _cpu_limit_v1(cgroup)
    return None if quota == "max" else int(quota) / int(period)


def _cpu_limit_v1(cgroup: Path) -> float | None:
    for folder in (cgroup / "cpu", cgroup / "cpu,cpuacct"):
        try:
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text("ascii")) for name in ("quota", "period"))
        except (OSError, ValueError):
            continue
        return quota / period if quota > 0 and period > 0 else None
    return None
