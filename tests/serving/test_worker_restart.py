"""Replacement of dead workers, in a supervisor process with a child that exits: each SIGHUP is one check by circus."""

import subprocess
import sys

SUPERVISOR = """
import signal, subprocess, sys, time
from serving import worker_restart
checks = []
{before}
worker_restart.replace_dead_workers()
signal.signal(signal.SIGHUP, lambda *_: checks.append(time.monotonic()))
{then}
time.sleep(0.2)
print(len(checks))
"""
DIES = "subprocess.Popen([sys.executable, '-c', ''], start_new_session=True); time.sleep(1)"


def checks_after(then: str, before: str = "") -> int:
    """Run `then` in a supervisor; return the number of checks."""
    code = SUPERVISOR.format(before=before, then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_death_causes_a_check():
    assert checks_after(DIES) == 1


def test_a_second_death_soon_after_causes_no_check():
    assert checks_after(f"{DIES}\n{DIES}") == 1


def test_a_later_death_causes_a_check_again():
    assert checks_after(f"{DIES}\n{DIES}", before="worker_restart._MIN_INTERVAL_S = 0.1") == 2


def test_there_is_no_check_without_a_handler_or_without_a_death():
    assert checks_after(f"signal.signal(signal.SIGHUP, signal.SIG_DFL)\n{DIES}") == 0
    assert checks_after("signal.raise_signal(signal.SIGCHLD)") == 0
