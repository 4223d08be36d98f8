"""How fast embed is: from JPEG files to features, against ONNX Runtime's forward pass alone on ready tensors.

    python benchmarks/embed.py PHOTOS [--backbone efficientnet-lite0] [--workers N] [--batch-size N] [--rounds N]

Both use the same processes and threads in the same run, by turns, so that a busy machine slows both. PHOTOS is a
folder of image files, read again and again until there are enough of them.
"""

import argparse
import os
import shutil
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

from coachworks.digests import digest_bytes
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, find_backbone, onnx_key
from components.embed.cores import usable_cores
from components.embed.pool import run_chunks
from components.embed.session import open_session, run_session
from components.embed.spec import BackboneSpec
from components.embed.work import Job, Photo

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
    parser.add_argument("--forward", metavar="ONNX", help=argparse.SUPPRESS)  # what the processes below run
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
    _print(setting, speeds)


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
    """Photos per second, from when every process has started and answered to the last answer."""
    job = Job(
        store=setting.store.uri,
        spec=setting.spec,
        onnx=onnx_key(setting.spec.digest),
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
        sys.executable, __file__, ".", "--forward", str(setting.store.fetch(onnx_key(setting.spec.digest))),
        "--batch-size", str(setting.batch_size), "--count", str(each),
    ]  # fmt: skip
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(setting.workers)
    ]
    for process in processes:  # all are ready before any begins
        if process.stdout:
            process.stdout.readline()
    started = time.monotonic()
    for process in processes:
        process.communicate(b"go\n")
    return each * len(processes) / (time.monotonic() - started)


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


def _print(setting: _Setting, speeds: _Speeds) -> None:
    forward, embed = statistics.median(speeds["forward"]), statistics.median(speeds["embed"])
    ratio = statistics.median(e / f for e, f in zip(speeds["embed"], speeds["forward"], strict=True))
    columns = shutil.get_terminal_size().columns
    title = (
        f"{setting.spec.name}, {setting.spec.input_px} px, {setting.workers} processes, batches of {setting.batch_size}"
    )
    print(title[:columns])
    print(f"{'forward pass alone, ready tensors':<36}{forward:>8.1f} photos/s")
    print(f"{'JPEG files to features':<36}{embed:>8.1f} photos/s")
    print(f"{'share (median of the rounds)':<36}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
