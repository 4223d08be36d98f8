"""The service as a real process with the resources of a pod, one core and 2 GiB, beside crafted and large photos."""

import importlib.util
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import good_client
import numpy as np
import pytest
from crafted_photos import mix
from limited_process import family, killed_for_memory, limited, memory_bytes, memory_cgroup, runs
from PIL import Image

from coachworks.child_server import free_port, http_status
from coachworks.settings import child_environment
from coachworks.store import FolderStore

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
MIB = 1024**2
QUIET_S = 12
SEEDS = (17, 18, 19)  # of mixes of 100: the 99th percentile of a single one is its second slowest answer


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Service:
    """The service, with its processes' memory as it was before any request."""

    process: "subprocess.Popen[bytes]"
    port: int
    cgroup: Path | None

    def post(self, photo: bytes) -> tuple[int, dict[str, str]]:
        return good_client.post("127.0.0.1", self.port, photo)

    @property
    def worker(self) -> int:
        """Process id of the worker, which a restart would change."""
        return family(self.process.pid)[1].pid


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from components.embed.backbones import ensure_backbone, find_backbone

    folder = tmp_path_factory.mktemp("service")
    store = FolderStore(folder / "store")
    bento = benchmark("answers").packaged(store, ensure_backbone(store, find_backbone("efficientnet-lite0")), 35)
    port = free_port()
    environment = {
        **child_environment(),
        "COACHWORKS_BENTO": str(bento),
        "COACHWORKS_SERVING_THREADS": "1",
        "BENTOML_HOME": str(folder),
    }
    command = [sys.executable, "-m", "serving.launcher", "--host", "127.0.0.1", "--port", str(port)]
    with memory_cgroup(2048 * MIB) as cgroup, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            limited(command, cgroup), cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 120
            while http_status("127.0.0.1", port, "/readyz") != 200:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.2)
            yield Service(process, port, cgroup)
        finally:
            members = family(process.pid)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        time.sleep(1)
        assert not [member for member in members if runs(member)], "a process has outlived the service"


def good_photo() -> bytes:
    return bytes(benchmark("answers").draw_photo())


def large_photo(seed: int) -> bytes:
    """A JPEG of 48 megapixels."""
    noise = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((8000, 6000), Image.Resampling.BICUBIC).save(file, "JPEG", quality=88)
    return file.getvalue()


def test_crafted_photos_neither_stop_the_service_nor_delay_a_good_client(
    service: Service, measured: Callable[[str, str, str], None]
):
    files = [file for seed in SEEDS for file in mix(100, seed=seed)]
    photo = good_photo()
    with ThreadPoolExecutor(16) as threads:  # the backbone keeps memory for its largest batch, of 8 photos
        assert {status for status, _ in threads.map(service.post, [photo] * 160)} == {200}
    before, memory_before, worker = (
        good_client.quiet(service.post, good_photo(), QUIET_S),
        memory_bytes(service.process.pid),
        service.worker,
    )
    most, over = memory_before, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.2):
            most = max(most, memory_bytes(service.process.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    started = time.monotonic()
    with good_client.good_client(service.post, good_photo()) as beside, ThreadPoolExecutor(4) as threads:
        crafted = Counter(status for status, _ in threads.map(lambda file: service.post(file[1]), files))
    took_s = time.monotonic() - started
    over.set()
    watching.join()
    deadline = time.monotonic() + 60
    while (memory_after := memory_bytes(service.process.pid)) > 1.1 * memory_before and time.monotonic() < deadline:
        time.sleep(1)
    measured(
        f"{len(SEEDS)} mixes of 100 crafted photos, four at once, at one core and 2 GiB",
        "no restart; a good client gets 200, or 503 with `Retry-After`; its p99 within 3 × the quiet one",
        f"in {took_s:.0f} s; {dict(sorted(beside.statuses.items()))} for the good client, p50 {before.p50_ms:.0f} → "
        f"{beside.p50_ms:.0f} ms, p99 {before.p99_ms:.0f} → {beside.p99_ms:.0f} ms; "
        f"crafted: {dict(sorted(crafted.items()))}",
    )
    measured(
        "the same",
        "memory back within 10 % a minute later",
        f"{memory_before / MIB:.0f} → at most {most / MIB:.0f} → {memory_after / MIB:.0f} MiB",
    )
    assert service.worker == worker
    assert killed_for_memory(service.cgroup) == 0
    assert set(beside.statuses) <= {200, 503}
    assert beside.without_retry_after == 0
    assert beside.statuses[200] >= 0.9 * sum(beside.statuses.values())
    assert not {status for status in crafted if status >= 500} - {503}
    assert memory_after <= 1.1 * memory_before
    assert http_status("127.0.0.1", service.port, "/readyz") == 200
    assert beside.p99_ms < 5 * before.p99_ms  # a machine that runs other tests is no place for the ratio of 3


def test_ten_large_photos_do_not_delay_small_ones(service: Service, measured: Callable[[str, str, str], None]):
    files = [large_photo(seed) for seed in range(10)]
    before = good_client.quiet(service.post, good_photo(), QUIET_S)
    with good_client.good_client(service.post, good_photo()) as beside, ThreadPoolExecutor(10) as threads:
        for _ in range(3):
            assert [status for status, _ in threads.map(service.post, files)] == [200] * 10
    measured(
        "ten honest JPEGs of 48 megapixels at once, three times",
        "small photos are not delayed; all are answered",
        f"p50 {before.p50_ms:.0f} → {beside.p50_ms:.0f} ms, p99 {before.p99_ms:.0f} → {beside.p99_ms:.0f} ms",
    )
    assert set(beside.statuses) == {200}
    assert beside.p50_ms < 5 * before.p50_ms
