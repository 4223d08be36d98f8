"""Usable CPU cores: the affinity and, in a container, the CPU limit, with both versions of cgroups."""

import os
from pathlib import Path

import pytest

from coachworks.cpu_limit import thread_limits, usable_cores

EVERY = len(os.sched_getaffinity(0))


def limited(cgroup: Path, version: int, quota: int | None) -> Path:
    """Create the cgroup files of a container with a CPU limit of `quota` millicores."""
    if version == 2:
        (cgroup / "cpu.max").write_text(f"{'max' if quota is None else quota * 100} 100000\n")
    else:
        folder = cgroup / ("cpu" if version == 1 else "cpu,cpuacct")
        folder.mkdir()
        (folder / "cpu.cfs_quota_us").write_text(f"{-1 if quota is None else quota * 100}\n")
        (folder / "cpu.cfs_period_us").write_text("100000\n")
    return cgroup


@pytest.mark.parametrize("version", [2, 1, 1.5], ids=["v2", "v1", "v1 with accounting"])
@pytest.mark.parametrize(("quota", "expected"), [(None, EVERY), (1500, 2), (500, 1), (1000, 1), (10**6, EVERY)])
def test_a_container_s_cpu_limit_is_used(tmp_path: Path, version: int, quota: int | None, expected: int) -> None:
    assert usable_cores(cgroup=limited(tmp_path, version, quota)) == min(EVERY, expected)


def test_without_a_container_all_cores_of_the_affinity_are_used(tmp_path: Path) -> None:
    assert usable_cores(cgroup=tmp_path) == EVERY
    (tmp_path / "cpu.max").write_text("nonsense")
    assert usable_cores(cgroup=tmp_path) == EVERY


@pytest.mark.skipif(EVERY == 1, reason="one core cannot be limited further")
def test_variables_for_numerical_libraries_are_set_only_with_a_limit(tmp_path: Path) -> None:
    assert thread_limits(cgroup=tmp_path) == {}
    limits = thread_limits(cgroup=limited(tmp_path, 2, 1000))
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= set(limits)
    assert set(limits.values()) == {"1"}
