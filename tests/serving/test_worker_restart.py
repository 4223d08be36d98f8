"""In a process of its own: a child dies, and whoever looks after it is told at once."""

import subprocess
import sys

SUPERVISOR = """
import signal, subprocess, sys, time
from serving import worker_restart
told = []
{before}
worker_restart.replace_dead_workers()
signal.signal(signal.SIGHUP, lambda *_: told.append(time.monotonic()))
{then}
time.sleep(0.2)
print(len(told))
"""
DIES = "subprocess.Popen([sys.executable, '-c', ''], start_new_session=True); time.sleep(1)"


def told(then: str, before: str = "") -> int:
    code = SUPERVISOR.format(before=before, then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_death_is_told():
    assert told(DIES) == 1


def test_what_dies_again_soon_is_not_told_again():
    assert told(f"{DIES}\n{DIES}") == 1


def test_after_a_while_it_is():
    assert told(f"{DIES}\n{DIES}", before="revival._LEAST_S = 0.1") == 2


def test_nothing_is_told_where_nobody_listens_or_nobody_died():
    assert told(f"signal.signal(signal.SIGHUP, signal.SIG_DFL)\n{DIES}") == 0
    assert told("signal.raise_signal(signal.SIGCHLD)") == 0
