"""Speed of embed, from JPEG files to features, beside ONNX Runtime's forward pass alone on ready tensors.

    python benchmarks/embed.py PHOTOS [--backbone efficientnet-lite0] [--workers N] [--batch-size N] [--rounds N]

Both use the same processes and threads in the same run, by turns, so that a busy machine slows both. Processor time on
one core is measured by turns as well; it has less noise on a shared machine. PHOTOS is a folder of image
files, read again and again until there are enough of them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TypedDict

import numpy as np

from coachworks.cpu_limit import usable_cores
from coachworks.digests import digest_bytes
from coachworks.models.backbone import BackboneSpec
from coachworks.models.keys import onnx_key
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, find_backbone
from components.embed.pool import run_chunks
from components.embed.work import Job, Photo, Work

_CHUNK = 16
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class _Speeds(TypedDict):
    forward: list[float]
    embed: list[float]


@dataclass(frozen=True)
class _Setting:
    store: FolderStore
    spec: BackboneSpec
    photos: list[Photo]
    workers: int
    batch_size: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of image files")
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one per core")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--count", type=int, default=1000, help="photos per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forward", metavar="ONNX", help=argparse.SUPPRESS)  # used by the processes of this benchmark
    options = parser.parse_args()
    if options.forward:
        _forward(Path(options.forward), options.batch_size, options.count)
        return
    with tempfile.TemporaryDirectory() as folder:
        setting = _prepared(FolderStore(Path(folder)), options)
        speeds = _Speeds(forward=[], embed=[])
        for number in range(options.rounds):
            speeds["forward"].append(_time_forward(setting))
            speeds["embed"].append(_time_embed(setting))
            load = os.getloadavg()[0]
            print(f"round {number + 1}: load {load:.1f}", file=sys.stderr)
        cpu = _cpu_ms(setting)
    _print(setting, speeds, cpu)


def _prepared(store: FolderStore, options: argparse.Namespace) -> _Setting:
    files = [file for file in sorted(options.photos.rglob("*")) if file.suffix.lower() in _SUFFIXES]
    if not files:
        sys.exit(f"no image files in {options.photos}")
    photos = []
    for file in islice(files, options.count):
        data = file.read_bytes()
        key = f"photos/{digest_bytes(data)}{file.suffix.lower()}"
        store.write(key, data)
        photos.append(Photo(digest_bytes(data), key, (0,)))
    spec = ensure_backbone(store, find_backbone(options.backbone))
    photos = list(islice(cycle(photos), options.count))
    return _Setting(store, spec, photos, options.workers or usable_cores(), options.batch_size)


def _time_embed(setting: _Setting) -> float:
    """Photos per second, from the moment when every process has answered once to the last answer."""
    job = Job(
        store=setting.store.uri,
        spec=setting.spec,
        onnx=onnx_key(setting.spec.graph),
        policy=None,
        batch_size=setting.batch_size,
        threads=1 if setting.workers > 1 else usable_cores(),
    )
    ahead = cycle(setting.photos)
    chunks = [list(islice(ahead, _CHUNK)) for _ in range(len(setting.photos) // _CHUNK + 4 * setting.workers)]
    answers = run_chunks(job, chunks, workers=setting.workers)
    for _ in range(4 * setting.workers):
        next(answers)
    started = time.monotonic()
    done = sum(len(rows) for _, rows in answers)
    return done / (time.monotonic() - started)


def _time_forward(setting: _Setting) -> float:
    """Photos per second of as many processes, each with ready tensors and as many threads."""
    each = len(setting.photos) // setting.workers
    command = [
        sys.executable, __file__, ".", "--forward", str(setting.store.fetch(onnx_key(setting.spec.graph))),
        "--batch-size", str(setting.batch_size), "--count", str(each),
    ]  # fmt: skip
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(setting.workers)
    ]
    for process in processes:  # all are ready before any begins
        if process.stdout:
            process.stdout.readline()
    started = time.monotonic()
    for process in processes:  # all begin before any is waited for
        if process.stdin:
            process.stdin.write(b"go\n")
            process.stdin.flush()
    for process in processes:
        process.communicate()
    return each * len(processes) / (time.monotonic() - started)


def _cpu_ms(setting: _Setting) -> tuple[float, float]:
    """Processor time per photo on one core, ms: of the forward pass alone, and of the whole way."""
    onnx = onnx_key(setting.spec.graph)
    work = Work(Job(setting.store.uri, setting.spec, onnx, None, setting.batch_size, threads=1))
    photos = list(islice(cycle(setting.photos), 16 * setting.batch_size))
    ready = np.stack([features_input(setting.store.read(photo.key), setting.spec) for photo in photos])
    session = open_session(setting.store.fetch(onnx), threads=1)
    forward, whole = [], []
    for _ in range(15):
        started = time.process_time()
        for start in range(0, len(ready), setting.batch_size):
            run_session(session, ready[start : start + setting.batch_size])
        between = time.process_time()
        work.chunk(photos)
        forward.append((between - started) * 1000 / len(photos))
        whole.append((time.process_time() - between) * 1000 / len(photos))
    return statistics.median(forward), statistics.median(whole)


def _forward(onnx: Path, batch_size: int, count: int) -> None:
    session = open_session(onnx, threads=1)
    px = session.get_inputs()[0].shape[-1]
    batches = [np.random.default_rng(i).standard_normal((batch_size, 3, px, px)).astype(np.float32) for i in range(8)]
    for batch in batches:
        run_session(session, batch)
    print("ready", flush=True)
    sys.stdin.readline()
    for _, batch in zip(range(0, count, batch_size), cycle(batches), strict=False):
        run_session(session, batch)


def _print(setting: _Setting, speeds: _Speeds, cpu: tuple[float, float]) -> None:
    forward, embed = statistics.median(speeds["forward"]), statistics.median(speeds["embed"])
    ratio = statistics.median(e / f for e, f in zip(speeds["embed"], speeds["forward"], strict=True))
    print(
        f"{setting.spec.name}, {setting.spec.input_px} px, {setting.workers} processes of one thread, "
        f"batches of {setting.batch_size}, {len(setting.photos)} photos a round"
    )
    print(f"{'':<36}{'photos/s':>10}{'CPU ms/photo':>14}")
    print(f"{'forward pass alone, ready tensors':<36}{forward:>10.1f}{cpu[0]:>14.2f}")
    print(f"{'image files to features':<36}{embed:>10.1f}{cpu[1]:>14.2f}")
    print(f"{'share, median of the rounds':<36}{ratio:>10.2f}{cpu[0] / cpu[1]:>14.2f}")


if __name__ == "__main__":
    main()
