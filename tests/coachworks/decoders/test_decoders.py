"""Decoder processes: a file that exceeds a limit or ends its process costs one call; nothing is left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from coachworks.decoders import Cause, Decoders, DecodersDownError, Lane, LimitError
from coachworks.decoders.pool import DecoderFailedError
from coachworks.errors import PhotoError
from coachworks.photos import Reason

SUPPORT = Path(__file__).parents[2] / "support"
LANES = (
    Lane(name="small", workers=2, cpu_s=0.2, memory_bytes=128 << 20, options={"small_only": True}),
    Lane(name="large", workers=1, cpu_s=1, memory_bytes=512 << 20, niceness=10),
)


class Replaced(Counter[tuple[str, Cause]]):
    """Replacements by lane and cause."""

    def __call__(self, lane: str, cause: Cause) -> None:
        self[lane, cause] += 1


@pytest.fixture(scope="module")
def replaced() -> Replaced:
    return Replaced()


@pytest.fixture(scope="module")
def pool(replaced: Replaced) -> Iterator[Decoders]:
    with Decoders(
        "decoder_functions:act", LANES, sample=b"sample", options={"suffix": "!"}, on_replaced=replaced
    ) as decoders:
        yield decoders


def state(pool: Decoders, lane: str = "small") -> dict[str, Any]:
    return dict(json.loads(bytes(pool.run(b"state", lane, wall_s=10)).removesuffix(b"!")))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(holds: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_file_gets_the_functions_result(pool: Decoders):
    data = os.urandom(1_000_000)
    assert pool.run(data, "small", wall_s=10) == data + b"!"
    assert state(pool)["niceness"] + 10 == state(pool, "large")["niceness"]


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is kept by settings of glibc")
def test_a_decoder_uses_the_memory_of_a_small_photo_again(pool: Decoders):
    def faults() -> tuple[int, int]:
        pid = state(pool, "large")["pid"]
        return pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])

    pool.run(b"use:3000000", "large", wall_s=10)
    pid, before = faults()
    for _ in range(10):
        pool.run(b"use:3000000", "large", wall_s=10)
    assert faults()[0] == pid
    assert faults()[1] - before < 3_000_000 // os.sysconf("SC_PAGE_SIZE")  # once, not ten times


COSTLY = {
    "busy": ("busy", Cause.CPU_TIME, "the file must be decoded within 0.2 s of processor time; it was not"),
    "memory": ("allocate:200000000", Cause.MEMORY, "the file must be decoded within 128 MiB of memory; it needs more"),
    "waiting": ("sleep:60", Cause.WALL_TIME, "the file must be decoded within 0.4 s; it was not"),
    "killed by the system": ("killed", Cause.MEMORY, "within 128 MiB of memory"),
    "exit": ("exit", Cause.CRASH, "the file must be decoded without an error of the decoder; it was not"),
    "segfault": ("segfault", Cause.CRASH, "without an error of the decoder"),
    "bytes that are no answer": ("garbage", Cause.CRASH, "without an error of the decoder"),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_a_file_that_ends_its_decoder_costs_one_call(pool: Decoders, replaced: Replaced, kind: str):
    attack, cause, message = COSTLY[kind]
    before = replaced["small", cause]
    with ThreadPoolExecutor(4) as threads:
        crafted = threads.submit(pool.run, attack.encode(), "small", wall_s=0.4 if kind == "waiting" else 10)
        good = [threads.submit(pool.run, b"good", "small", wall_s=10) for _ in range(20)]
        with pytest.raises(PhotoError, match=re.escape(message)) as refusal:
            crafted.result()
        assert {bytes(each.result()) for each in good} == {b"good!"}
    assert refusal.value.reason == Reason.TOO_COSTLY
    assert isinstance(refusal.value, LimitError) == (cause != Cause.CRASH)
    assert replaced["small", cause] == before + 1
    pool.check()


def test_a_large_file_is_refused_where_only_small_ones_are_read_and_ends_no_decoder(pool: Decoders, replaced: Replaced):
    before = replaced.total()
    with pytest.raises(LimitError, match="the file must be a small photo; it is a large one") as refusal:
        pool.run(b"large", "small", wall_s=10)
    assert refusal.value.cause is None
    assert pool.run(b"large", "large", wall_s=10) == b"large!"
    assert replaced.total() == before


def test_a_higher_limit_of_another_lane_holds_there(pool: Decoders):
    assert pool.run(b"allocate:200000000", "large", wall_s=10) == b"allocate:200000000!"


def test_a_decoder_that_has_grown_is_replaced_and_its_memory_returned(pool: Decoders, replaced: Replaced):
    before = replaced["small", Cause.GROWN]
    assert pool.run(b"allocate:100000000", "small", wall_s=10)
    assert replaced["small", Cause.GROWN] == before + 1


def test_a_decoder_that_ended_while_idle_costs_no_call(pool: Decoders, replaced: Replaced):
    pids = {state(pool)["pid"] for _ in range(2)}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: not alive(pid))

    def replaced_unnoticed() -> bool:  # the call may have come to another decoder of the lane
        assert state(pool)["pid"] not in pids
        return replaced["small", Cause.IDLE] >= 1

    eventually(replaced_unnoticed)


def test_signals_for_the_whole_group_leave_decoders_to_their_program(pool: Decoders):
    first = state(pool)
    for pid in (first["parent"], first["pid"]):
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    states = [state(pool) for _ in range(2)]
    assert {each["parent"] for each in states} == {first["parent"]}
    assert first["pid"] in {each["pid"] for each in states}


def test_no_ended_decoder_stays_as_a_zombie(pool: Decoders):
    template = state(pool)["parent"]
    for _ in range(3):
        with pytest.raises(PhotoError):
            pool.run(b"exit", "small", wall_s=10)
    for _ in range(4):
        state(pool)
    children = Path(f"/proc/{template}/task/{template}/children").read_text().split()
    assert all(alive(int(pid)) for pid in children)
    assert len(children) <= 3


def test_refusals_and_defects_of_the_function_are_raised_here(pool: Decoders):
    with pytest.raises(PhotoError, match="the file is not an image") as refusal:
        pool.run(b"refuse", "small", wall_s=10)
    assert refusal.value.reason == Reason.NOT_A_PHOTO
    with pytest.raises(DecoderFailedError, match="KeyError: 'defect'"):
        pool.run(b"defect", "small", wall_s=10)


def test_what_a_decoder_sends_is_not_trusted(pool: Decoders):
    with pytest.raises(DecoderFailedError, match="the decoder's refusal cannot be read"):
        pool.run(b"unknown-reason", "small", wall_s=10)
    with pytest.raises(PhotoError, match="without an error of the decoder"):  # an answer over the largest size
        pool.run(bytes(2_000_000), "small", wall_s=10)


@pytest.mark.parametrize("action", ["open", "connect", "fork", "import"])
def test_a_decoder_opens_no_file_and_no_connection_and_starts_no_process(pool: Decoders, action: str):
    if action == "fork" and os.geteuid() == 0:
        pytest.skip("the limit of processes does not hold for root")
    with pytest.raises(DecoderFailedError, match=r"Too many open files|BlockingIOError|No module named"):
        pool.run(action.encode(), "small", wall_s=10)


def test_a_decoder_sees_no_credentials(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Decoders("decoder_functions:act", LANES[:1], sample=b"") as pool:
        environment = json.loads(pool.run(b"state", "small", wall_s=10))["environment"]
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "PATH" in environment


def test_callers_wait_for_an_idle_decoder_until_their_time_is_over(pool: Decoders):
    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(pool.run, b"sleep:0.6", "large", wall_s=10)
        time.sleep(0.1)
        with pytest.raises(LimitError, match=r"within 0\.2 s; it was not"):
            pool.run(b"good", "large", wall_s=0.2)
        assert pool.run(b"good", "large", wall_s=10) == b"good!"
        assert busy.result()


def test_decoders_that_do_not_start_are_reported_and_tried_again(monkeypatch: pytest.MonkeyPatch):
    from coachworks.decoders import pool as module

    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    real = module.Template.fork
    broken = threading.Event()
    broken.set()

    def fork(self: Any, lane: Lane) -> Any:
        if broken.is_set():
            raise DecodersDownError("no decoder process can be started. The log says why.")
        return real(self, lane)

    monkeypatch.setattr(module.Template, "fork", fork)
    with Decoders("decoder_functions:act", LANES, sample=b"") as pool:
        with pytest.raises(DecodersDownError, match="no decoder process works: no decoder process can be started"):
            pool.check()
        with pytest.raises(DecodersDownError):
            pool.run(b"good", "small", wall_s=10)
        broken.clear()
        assert pool is not None
        eventually(lambda: _works(pool))
        assert pool.run(b"good", "large", wall_s=10) == b"good"


def _works(pool: Decoders) -> bool:
    try:
        pool.check()
    except DecodersDownError:
        return False
    return True


@pytest.mark.parametrize("function", ["decoder_functions:never", "decoder_functions:no_such_function"])
def test_decoders_that_end_at_once_are_reported(function: str):
    with Decoders(function, LANES, sample=b"") as pool:
        eventually(lambda: not _works(pool))
        with pytest.raises(DecodersDownError, match=r"fails on a sample|has ended\. The log says why"):
            pool.check()


def test_a_template_that_ends_is_replaced(pool: Decoders):
    template = state(pool)["parent"]
    os.kill(template, signal.SIGKILL)
    eventually(lambda: not alive(template))
    assert state(pool)["parent"] != template
    assert pool.run(b"good", "large", wall_s=10) == b"good!"


PROGRAM = """
import json, sys, threading, time
from coachworks.decoders import Decoders, Lane
if __name__ == "__main__":
    lane = Lane(name="small", workers=2, cpu_s=60, memory_bytes=128 << 20)
    pool = Decoders("decoder_functions:act", [lane], sample=b"")
    pool.start()
    states = [json.loads(pool.run(b"state", "small", wall_s=10)) for _ in range(2)]
    threading.Thread(target=pool.run, args=(b"busy", "small"), kwargs={"wall_s": 60}, daemon=True).start()
    time.sleep(0.2)
    print(*{each for state in states for each in (state["pid"], state["parent"])}, flush=True)
    if sys.argv[1] == "return":
        pool.close()
    else:
        time.sleep(60)
"""


@pytest.mark.parametrize("end", ["return", "SIGKILL"])
def test_no_decoder_outlives_its_program(end: str):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, end], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    )  # fmt: skip
    assert program.stdout is not None
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == 3
    if end != "return":
        assert all(alive(pid) for pid in pids)
        program.send_signal(getattr(signal, end))
    program.wait(10)
    eventually(lambda: not any(alive(pid) for pid in pids), within_s=5)
