"""Peak memory of train on many features, or of every step of a whole run on many small photos.

    python benchmarks/training/memory.py [--photos 100000] [--numbers 5000] [--views 0] [--limit-gib 4]
    python benchmarks/training/memory.py --run [--photos 60000] [--feature-groups all] [--limit-gib 3]

The first makes up the features, in shards as embed writes them: one skill of ten labels, with the default candidates.
Without `--groups` the numbers are divided like the last average, averages and deviations of EfficientNet-Lite0. The
second draws photos of 32 px and runs the pipeline up to the documents. Both end with status 1 if a process needed more
than the limit.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fleets import ATTRIBUTES, draw
from benchmarks.training.processes import Watched, joined, watch
from coachworks.steps import CHAIN, OPTIONAL

_GIB = 1 << 30
STEPS = [step for step in CHAIN if step not in OPTIONAL]
_LABELS = tuple(f"label-{number}" for number in range(10))
_SHARD = 1024
_DIGEST = "b" * 64  # of a backbone that does not exist
_FLEET = {
    "apiVersion": "coachworks.dev/v1",
    "kind": "Fleet",
    "metadata": {"name": "memory"},
    "spec": {
        "store": "./store",
        "sources": [{"photos": "photos", "table": "photos.csv"}],
        "skills": {"kind": {"labels": list(_LABELS)}},
    },
}


def sizes_of(numbers: int) -> dict[str, int]:
    """Return the numbers per photo of each feature group, in the proportions of EfficientNet-Lite0."""
    last = numbers * 1280 // 4896
    mean = (numbers - last) // 2
    return {"last": last, "blocks-mean": mean, "blocks-std": numbers - last - mean}


def make_up(folder: Path, photos: int, sizes: Mapping[str, int], views: int) -> str:
    """Write the results of all steps up to embed, and its features; return the key of embed's result."""
    import pandas as pd

    from coachworks.context import open_context
    from coachworks.features import view_folder, write_shard
    from coachworks.fleet.model import Fleet
    from coachworks.results import produce
    from coachworks.tables import CATALOGUE, SPLIT_LABELS, VOTES, write_table

    (folder / "fleet.yaml").write_text(json.dumps(_FLEET), "utf-8")
    context = open_context(Fleet.model_validate(_FLEET).located(folder))
    ids = sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(photos))
    answers = np.random.default_rng(0).integers(0, len(_LABELS), photos)
    splits = np.where(np.arange(photos) % 20 < 17, "train", np.where(np.arange(photos) % 20 < 19, "validation", "test"))
    catalogue = pd.DataFrame({**dict.fromkeys(CATALOGUE), "photo_id": ids, "uri": ids, "filename": ids, "set_id": ids})
    labels = pd.DataFrame(
        {"photo_id": ids, "set_id": ids, "split": splits, "skill": "kind", "label": [_LABELS[a] for a in answers],
         "confidence": 1.0, "votes": 1, "agreement": 1.0}
    )  # fmt: skip

    def ingest(into: Path) -> dict[str, int]:
        write_table(catalogue, into / "catalogue.parquet", CATALOGUE)
        write_table(pd.DataFrame(columns=[*VOTES]), into / "votes.parquet", VOTES)
        return {"photos": photos}

    def split(into: Path) -> dict[str, int]:
        write_table(labels, into / "labels.parquet", SPLIT_LABELS)
        columns = ("photo_id", "set_id", "split")
        write_table(labels[[*columns]], into / "splits.parquet", dict.fromkeys(columns, "string"))
        return {"photos": photos}

    def key_of(step: str, inputs: Mapping[str, Any], build: Any) -> str:
        return produce(step, inputs, build, context=context, code="made up").key

    verdict = {"skills": {"kind": {"passed": True, "failures": [], "warnings": []}}, "findings": [], "photos": photos,
               "expectations": 0, "near_duplicates": 0}  # fmt: skip
    key = key_of(
        "validate", {"split": key_of("split", {"ingest": key_of("ingest", {}, ingest)}, split)}, lambda _: verdict
    )
    policy = {"views": views, "policy_digest": _DIGEST, "transforms": [], "photos_shown": 0}
    embedded = {
        "backbone": "made up", "backbone_digest": _DIGEST, "space": "features/made-up", "view_digest": _DIGEST,
        "policy_digest": _DIGEST, "dimensions": sizes["last"], "views": views, "photos": photos, "computed": photos,
        "reused": 0, "seconds": 0.0, "photos_per_second": 0.0, "device": "cpu", "workers": 1,
        "groups": list(sizes.items()),
    }  # fmt: skip
    centres = np.random.default_rng(1).normal(size=(len(_LABELS), sum(sizes.values()))).astype(np.float32) / 8
    order = np.random.default_rng(2).permutation(photos)  # shards are not in the order of the photo ids
    for view in range(views + 1):
        for start in range(0, photos, _SHARD):
            rows = order[start : start + _SHARD]
            random = np.random.default_rng([view, start])
            table = random.standard_normal((len(rows), centres.shape[1]), np.float32) + centres[answers[rows]]
            first = 0
            for group, size in sizes.items():
                part = table[:, first : first + size].astype(np.float32 if group == "last" else np.float16)
                place = view_folder("features/made-up", _DIGEST, view, group)
                write_shard(context.store, place, [ids[row] for row in rows], part)
                first += size
    return key_of("embed", {"augment": key_of("augment", {"validate": key}, lambda _: policy)}, lambda _: embedded)


def train(folder: Path, embed: str) -> None:
    """Train in this process."""
    from coachworks.context import open_context
    from coachworks.fleet.reader import read_fleet
    from components.train.step import train as step

    fleet = read_fleet(folder / "fleet.yaml")
    report = step(fleet, embed, context=open_context(fleet)).report
    print(json.dumps({"winner": report.skills["kind"].winner, "groups": report.skills["kind"].feature_groups}))


def measure_train(folder: Path, arguments: argparse.Namespace) -> Watched:
    """Make up the features and measure train."""
    sizes = sizes_of(arguments.numbers)
    if arguments.groups:
        sizes = {name: int(size) for name, size in (group.split("=") for group in arguments.groups)}
    photos = arguments.photos or 100_000
    print(
        f"{photos} photos × {sum(sizes.values())} numbers, groups {sizes}, {arguments.views} augmented views",
        flush=True,
    )
    key = make_up(folder, photos, sizes, arguments.views)
    watched = watch([sys.executable, __file__, "--folder", str(folder), "--embed", key])
    print(watched.output.strip())
    return watched


def measure_run(folder: Path, arguments: argparse.Namespace) -> Watched:
    """Draw photos, run the pipeline, and print the peak of each step."""
    photos, groups = arguments.photos or 60_000, arguments.feature_groups
    print(f"{photos} photos of 32 px, one skill, {arguments.views} augmented views, feature groups: {groups}")
    draw(folder, photos, side_px=32)
    sources = [{"photos": "photos", "table": "photos.csv", "permission": "drawn"}]
    spec = {"augment": {"views": arguments.views}, "checks": {"maxLeakingShare": 1, "minSidePx": 16}}
    skills = {"colour": {"labels": list(ATTRIBUTES["colour"])}}
    fleet = {**_FLEET, "spec": {"store": "./store", "sources": sources, **spec, "skills": skills}}
    (folder / "fleet.yaml").write_text(json.dumps(fleet), "utf-8")
    command = [sys.executable, "-m", "coachworks.cli.main"]
    if groups == "auto":
        watched = watch([*command, "run", "--json", "-f", str(folder / "fleet.yaml")])
        states = (folder / "store/runs" / json.loads(watched.output)["run"] / "progress").glob("*.json")
        steps = sorted((json.loads(path.read_text("utf-8")) for path in states), key=lambda step: step["started_at"])
        for step in steps:
            _print_step(step["step"], watched.during(step["started_at"], step["updated_at"]))
        return watched
    parts = []
    for name in STEPS:
        setting = ["--feature-groups", groups] if name == "embed" else []
        parts.append(watch([*command, name, "--json", "-f", str(folder / "fleet.yaml"), *setting]))
        _print_step(name, parts[-1])
    return joined(parts)


def _print_step(name: str, watched: Watched) -> None:
    one, every = watched.peak()
    print(
        f"{name:<12}{watched.seconds:>8.0f} s, largest process {_gib(one):>9}, all together {_gib(every):>9}",
        flush=True,
    )


def _gib(size: int) -> str:
    return f"{size / _GIB:.2f} GiB"


def main() -> None:
    """Make up or draw, run, and compare the peak with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="a whole run on drawn photos")
    parser.add_argument("--photos", type=int)
    parser.add_argument("--numbers", type=int, default=5000)
    parser.add_argument("--groups", nargs="+", help="numbers of each feature group, as last=1280 blocks-mean=1808")
    parser.add_argument("--views", type=int, default=0)
    parser.add_argument("--feature-groups", default="auto", help="setting of embed, with --run")
    parser.add_argument("--limit-gib", type=float)
    parser.add_argument("--folder", type=Path, help="train in this folder, in this process")
    parser.add_argument("--embed", help="key of the result of embed, with --folder")
    arguments = parser.parse_args()
    if arguments.folder:
        train(arguments.folder, arguments.embed)
        return
    with tempfile.TemporaryDirectory() as name:
        watched = (measure_run if arguments.run else measure_train)(Path(name), arguments)
    one, every = watched.peak()
    limit = arguments.limit_gib or (3.0 if arguments.run else 4.0)
    print(
        f"\npeak of the largest process {_gib(one)}, of all together {_gib(every)}; limit {limit:g} GiB; "
        f"{watched.seconds:.0f} s, {watched.cpu_s:.0f} s of processor time"
    )
    if one > limit * _GIB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
