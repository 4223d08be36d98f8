"""Answers per second and their latency over loopback, by number of skills: `bentoml serve` on a packaged bento.

python benchmarks/answers.py [--skills 1 35] [--concurrency 1 16] [--seconds 5] [--backbone efficientnet-lite0]

Heads have random weights, which take as long as trained ones. Clients and server share the machine's cores. The
backbone's forward pass alone on a ready tensor is the upper bound.
"""

import argparse
import asyncio
import io
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from coachworks.child_server import free_port
from coachworks.context import Context
from coachworks.cpu_limit import usable_cores
from coachworks.digests import digest_file
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec
from coachworks.models.head import Head
from coachworks.models.keys import head_key, head_manifest_key, onnx_key
from coachworks.models.session import open_session, run_session
from coachworks.results import produce
from coachworks.store import FolderStore
from components.embed.backbones import ensure_backbone, find_backbone
from components.package.step import package
from serving.bento_server import bento_server

LABELS = ["one", "two", "three", "four", "five"]


def main() -> None:
    """Package, serve, ask, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skills", type=int, nargs="+", default=[1, 35])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    arguments = parser.parse_args()
    photo = draw_photo()
    print(
        f"{arguments.backbone}, one JPEG of 640 x 480 and {len(photo) // 1000} kB over and over, load", os.getloadavg()
    )
    print(f"{'skills':>6} {'clients':>8} {'answers/s':>10} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'not 200':>8}")
    with tempfile.TemporaryDirectory() as name:
        store = FolderStore(Path(name) / "store")
        spec = ensure_backbone(store, find_backbone(arguments.backbone))
        forward = forward_per_second(store.fetch(onnx_key(spec.graph)), spec, arguments.seconds)
        for skills in arguments.skills:
            port = free_port()
            with (
                (Path(name) / "log").open("wb") as log,
                bento_server(packaged(store, spec, skills), host="127.0.0.1", port=port, log=log),
            ):
                for concurrency in arguments.concurrency:
                    times, failed = asyncio.run(load(port, photo, concurrency, arguments.seconds))
                    p50, p95, p99 = np.percentile(times, [50, 95, 99]) * 1000
                    rate = len(times) / arguments.seconds
                    print(f"{skills:>6} {concurrency:>8} {rate:>10.1f} {p50:>8.1f} {p95:>8.1f} {p99:>8.1f} {failed:>8}")
    print(f"the forward pass alone, one photo at a time: {forward:.1f} photos/s")


def draw_photo() -> bytes:
    """Draw smooth noise, which compresses like a photo."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG", quality=88)
    return file.getvalue()


def packaged(store: FolderStore, spec: BackboneSpec, skills: int) -> Path:
    """Package `skills` linear heads and return the folder of the bento."""
    names = [f"skill-{number}" for number in range(skills)]
    fleet = Fleet.model_validate(
        {
            "apiVersion": "coachworks.dev/v1",
            "kind": "Fleet",
            "metadata": {"name": f"fleet-of-{skills}"},
            "spec": {
                "store": store.uri,
                "sources": [{"photos": "./photos", "skill": names[0]}],
                "skills": {name: {"labels": LABELS} for name in names},
            },
        }
    )
    report = {"tracking": "embedded", "skills": {name: registered(store, spec, name) for name in names}}
    key = produce("register", {"evaluate": "", **report}, lambda folder: report, context=Context(store), code="").key
    result = package(fleet, [key])
    return store.fetch(json.loads((result.path / "bento.json").read_text())["path"])


def registered(store: FolderStore, spec: BackboneSpec, name: str) -> dict[str, object]:
    """Store a head with random weights and return its entry in the report of register."""
    generator = np.random.default_rng(len(name))
    head = Head(
        kind="linear",
        labels=tuple(LABELS),
        arrays={
            "weight": generator.normal(size=(len(LABELS), spec.dimensions)).astype(np.float32) / 30,
            "bias": np.zeros(len(LABELS), np.float32),
        },
        backbone_digest=spec.digest,
    )
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        head.save(Path(file.name))
        digest = digest_file(Path(file.name))
        store.write_file(head_key(digest), Path(file.name))
    manifest = {"labels": LABELS, "kind": "linear", "backbone_digest": spec.digest, "created_at": "2026-01-01T00:00:00"}
    store.write(head_manifest_key(digest), json.dumps(manifest).encode())
    champion = {"version": "1", "champion_version": "1", "head_digest": digest}
    return {"status": "champion", "reason": "", "model": name, **champion}


def forward_per_second(onnx: Path, spec: BackboneSpec, seconds: float) -> float:
    """Photos per second of the backbone on a ready tensor, on all cores."""
    session = open_session(onnx, usable_cores())
    tensor = np.zeros((1, 3, spec.input_px, spec.input_px), np.float32)
    run_session(session, tensor)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        run_session(session, tensor)
        done += 1
    return done / (time.perf_counter() - started)


async def load(port: int, photo: bytes, clients: int, seconds: float) -> tuple[list[float], int]:
    """Send photos over `clients` connections: the seconds of each answer, and the number of failures."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    failed = 0
    request = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {len(photo)}\r\n\r\n"
    ).encode() + photo

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            times.append(time.perf_counter() - started)
            failed += b" 200 " not in head.splitlines()[0]
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return times, failed


if __name__ == "__main__":
    main()
