"""Servers in a child process: real ones, of a few lines."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from coachworks.child_server import (
    ServerError,
    ServerNotReadyError,
    check_port,
    child_server,
    free_port,
    http_status,
    last_lines,
    reachable,
    sigterm_as_interrupt,
)
from coachworks.errors import InvalidConfigError

ANSWERS = """\
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
IGNORES_SIGTERM = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
LEAVES_A_WORKER = """\
import signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(worker.pid, flush=True)
worker.wait()
"""


def run(code, *arguments, **options):
    return child_server([sys.executable, "-c", code, *arguments], environment=dict(os.environ), **options)


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_block_begins_when_the_server_answers_and_leaves_no_server():
    port = free_port()
    with run(ANSWERS, str(port), ready=lambda: http_status("127.0.0.1", port, "/") == 200) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    assert http_status("127.0.0.1", port, "/") is None


def test_a_server_that_ends_is_reported_with_its_status_and_its_log():
    with tempfile.TemporaryFile() as log:
        with (
            pytest.raises(ServerError, match=r"the server ended with status 3. Its output says why."),
            run("import sys; print('a\\nb\\nno models\\n'); sys.exit(3)", ready=lambda: False, log=log),
        ):
            pass
        assert last_lines(log, 2) == ["b", "no models"]


def test_a_server_that_never_answers_is_stopped():
    with (
        pytest.raises(ServerNotReadyError, match=r"must be ready within 0.3 s; it was not"),
        run("import time; time.sleep(60)", ready=lambda: False, start_timeout_s=0.3),
    ):
        pass


def test_a_server_that_ignores_sigterm_is_killed_after_a_while():
    with (
        tempfile.TemporaryFile() as log,
        run(IGNORES_SIGTERM, ready=lambda: bool(last_lines(log, 1)), log=log, stop_timeout_s=0.2) as process,
    ):
        pass
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("stop", ["process", "group"])
def test_workers_are_not_left_behind(stop):
    with (
        tempfile.TemporaryFile() as log,
        run(LEAVES_A_WORKER, ready=lambda: bool(last_lines(log, 1)), log=log, stop=stop),
    ):
        worker = int(last_lines(log, 1)[0])
    assert not _is_running(worker)


STARTS_A_SERVER = """\
import os, signal, sys, tempfile
from coachworks.child_server import child_server, sigterm_as_interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)
log = open(sys.argv[2], "w+b")
with sigterm_as_interrupt(), child_server(
    [sys.executable, "-c", sys.argv[1]],
    ready=lambda: os.path.getsize(sys.argv[2]) > 0,
    environment=dict(os.environ),
    log=log,
    stop_timeout_s=5,
) as process:
    print(process.pid, flush=True)
    process.wait()
"""
HAS_WORKERS_IN_SESSIONS = """\
import os, subprocess, sys
sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
workers = [subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True) for _ in range(2)]
print(os.getpid(), *(worker.pid for worker in workers), flush=True)
workers[0].wait()
"""


@pytest.fixture
def starter(tmp_path):
    """A process that has started a server with two workers in sessions of their own, and the IDs of all others."""
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_SERVER, HAS_WORKERS_IN_SESSIONS, str(log)], stdout=subprocess.PIPE, text=True
    )
    watcher = int(process.stdout.readline())
    yield process, [watcher, *map(int, log.read_text().split())]
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_behind_however_the_starting_process_ends(starter, number):
    process, others = starter
    process.send_signal(number)
    process.wait(20)
    assert not [pid for pid in others if _is_running(pid, 500)]


@pytest.mark.parametrize("victim", ["server", "watcher"])
def test_nothing_is_left_behind_when_the_server_itself_is_killed(starter, victim):
    process, others = starter
    os.kill(others[victim == "server"], signal.SIGKILL)
    process.wait(20)
    orphans = others[2:] if victim == "watcher" else []  # of a server that does not stop its workers at SIGTERM
    assert not [pid for pid in others if pid not in orphans and _is_running(pid, 500)]
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)


def test_a_server_that_ends_with_a_status_or_a_signal_is_reported_so():
    for code, status in (("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 6)", -6)):
        with pytest.raises(ServerError, match=f"ended with status {status}"), run(code, ready=lambda: False):
            pass


def test_sighup_is_left_alone_where_it_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with sigterm_as_interrupt():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def _is_running(pid, attempts=50):
    for _ in range(attempts):  # the system reaps an orphan a moment later
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
        if not state or state.startswith("Z"):
            return False
        time.sleep(0.02)
    return True


def test_a_taken_port_is_replaced_or_refused(taken):
    assert free_port(preferred=taken) != taken
    with pytest.raises(InvalidConfigError, match=rf"port must be free; {taken} on 127.0.0.1 is not: .*`--port`"):
        check_port("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
@pytest.mark.parametrize("function", [check_port, free_port])
def test_an_address_of_another_machine_is_refused(function, host):
    with pytest.raises(InvalidConfigError, match=f"host must be an address of this machine.*; got '{host}'|got"):
        function(host, 0)


def test_a_url_names_an_address_that_can_be_reached():
    assert [reachable(host) for host in ("", "10.0.0.1", "fe80::1")] == ["127.0.0.1", "10.0.0.1", "[fe80::1]"]


def test_sigterm_is_a_ctrl_c_inside_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
