"""Answers per second with photos decoded in processes, against threads of the service: what the protection costs.

python benchmarks/decoders.py [--rounds 20] [--seconds 2] [--clients 8] [--photo FILE] [--cores 0]

Two servers with the same models, one of each kind; the rounds alternate, and one server idles meanwhile. The processor
time per answer, of the server with its decoders, hardly depends on what else the machine does. Heads have random
weights. Linux only.
"""

import argparse
import asyncio
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from answers import draw_photo, load, packaged
from PIL import Image

from coachworks.child_server import free_port
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import preprocess
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, find_backbone
from serving.predictor import Floats

KINDS = ("threads", "processes")
WARM_UP_S = 4


def main() -> None:
    """Start both servers, load them in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--photo", type=Path, help="default: a drawn JPEG of 640 x 480")
    parser.add_argument("--cores", default="", help="cores of the servers, such as 0 or 0,1; default: all")
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--serve", nargs=3, metavar=("KIND", "PORT", "BUNDLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]), Path(options.serve[2]))
        return
    photo = options.photo.read_bytes() if options.photo else draw_photo()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        store = FolderStore(Path(name) / "store")
        bento = packaged(store, ensure_backbone(store, find_backbone(options.backbone)), 35)
        servers = {kind: stack.enter_context(Server(kind, bento / "src" / "bundle", options.cores)) for kind in KINDS}
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        costs: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for server in servers.values():  # the first batches of every size take the memory that later ones use again
            asyncio.run(load(server.port, photo, options.clients, WARM_UP_S))
        for number in range(options.rounds):
            for kind in KINDS if number % 2 else KINDS[::-1]:
                server = servers[kind]
                before = server.cpu_s()
                times, failed = asyncio.run(load(server.port, photo, options.clients, options.seconds))
                if failed:
                    raise RuntimeError(f"{failed} requests failed")
                rates[kind].append(len(times) / options.seconds)
                costs[kind].append((server.cpu_s() - before) / len(times) * 1000)
    print(
        f"one JPEG of {len(photo) // 1000} kB, {options.clients} clients, {options.rounds} rounds, load",
        os.getloadavg(),
    )
    print(f"{'':<10} {'answers/s':>10} {'CPU ms per answer':>18}")
    for kind in KINDS:
        print(f"{kind:<10} {statistics.median(rates[kind]):>10.1f} {statistics.median(costs[kind]):>18.2f}")
    for title, table in (("answers/s", rates), ("CPU per answer", costs)):
        ratios = [after / before for before, after in zip(table["threads"], table["processes"], strict=True)]
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{title}, processes / threads: median {statistics.median(ratios):.3f}, {spread}")


class Server:
    """A server process of one kind; a context manager."""

    def __init__(self, kind: str, bundle: Path, cores: str) -> None:
        self.port = free_port()
        self._command = ["taskset", "-c", cores] if cores else []
        self._command += [sys.executable, __file__, "--serve", kind, str(self.port), str(bundle)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(600):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).close()
            except (OSError, urllib.error.URLError):
                continue
            return self
        raise TimeoutError("the server is not ready")

    def __exit__(self, *exc: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def cpu_s(self) -> float:
        """Return the processor time of the server and its descendants so far, in seconds."""
        parents, ticks = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            pid = int(stat.parent.name)
            parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
        family = {self._process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return sum(ticks[pid] for pid in family) / os.sysconf("SC_CLK_TCK")


class ThreadDecoding:
    """Photos decoded in two threads, without a look at their structure: as before there were decoder processes."""

    def __init__(self, spec: BackboneSpec, *_: Any) -> None:
        self._spec, self._threads = spec, ThreadPoolExecutor(2)

    def start(self) -> None:
        """Do nothing."""

    check = start

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    async def pixels(self, photo: bytes, *, within_s: float) -> Floats:
        """Return the backbone's input for a photo."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, photo)

    def _decode(self, photo: bytes) -> Floats:
        image = Image.open(io.BytesIO(photo))
        image.draft("RGB", (self._spec.input_px, self._spec.input_px))
        image = image.convert("RGB")
        image.getexif()
        factor = min(image.size) // self._spec.input_px
        return preprocess(image.reduce(factor) if factor >= 2 else image, self._spec)


def serve(kind: str, port: int, bundle: Path) -> None:
    """Serve the bundle in this process."""
    import uvicorn

    from serving import engine
    from serving.app import create_app
    from serving.bundle import load_bundle
    from serving.predictor import Predictor

    if kind == "threads":
        engine.PhotoDecoding = ThreadDecoding  # type: ignore[misc,assignment]
    app = create_app(lambda: Predictor(load_bundle(bundle)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
