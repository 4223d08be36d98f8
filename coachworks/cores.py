"""How many processors this process may really use."""

import math
import os
from pathlib import Path


def usable_cores(*, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Processor cores at this process's disposal: its affinity and, in a container, its CPU limit; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
