"""A store as embed leaves it: made-up labels and features of forty photos, without the photos."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.features import view_folder, write_shard
from coachworks.fleet.model import Fleet
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tables import SPLIT_LABELS, write_table

PHOTOS = 40
SIZES = {"last": 8, "blocks-mean": 6}
Row = tuple[int, str, str]  # photo, label, split


def photo_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def split_of(number: int) -> str:
    return "train" if number % 5 < 3 else "validation" if number % 5 == 3 else "test"


GOOD: list[Row] = [(number, "ab"[number % 2], split_of(number)) for number in range(PHOTOS)]


def write_features(store: FolderStore, order: Sequence[int], shard: int = 40) -> None:
    """Features that show the parity of the photo's number, in shards of this size."""
    points = np.random.default_rng(0).normal(size=(PHOTOS, sum(SIZES.values())))
    points[:, 0] += 4 * (np.arange(PHOTOS) % 2)
    for start in range(0, PHOTOS, shard):
        rows = order[start : start + shard]
        for group, columns in (("last", slice(0, 8)), ("blocks-mean", slice(8, 14))):
            part = points[rows, columns].astype(np.float32 if group == "last" else np.float16)
            write_shard(store, view_folder("features/some", "f" * 64, 0, group), [photo_id(n) for n in rows], part)


def embedded(store: FolderStore, rows: Mapping[str, Sequence[Row]], *, one_set: bool = False) -> str:
    """Key of a result of embed, over made-up results of the earlier steps."""
    labels = pd.DataFrame(
        [
            {"photo_id": photo_id(n), "skill": skill, "label": label, "confidence": 1.0, "votes": 1, "agreement": 1.0,
             "split": split, "set_id": "all" if one_set else str(n)}
            for skill, own in rows.items()
            for n, label, split in own
        ]
    )  # fmt: skip

    def split(folder: Path) -> dict[str, int]:
        write_table(labels, folder / "labels.parquet", SPLIT_LABELS)
        columns = ["photo_id", "set_id", "split"]
        splits = labels[columns].drop_duplicates("photo_id")
        write_table(splits, folder / "splits.parquet", dict.fromkeys(columns, "string"))
        return {"photos": PHOTOS}

    def ingest(folder: Path) -> dict[str, int]:
        ids = [photo_id(number) for number in range(PHOTOS)]
        catalogue = pd.DataFrame(
            {"photo_id": ids, "filename": [f"{n}.png" for n in range(PHOTOS)], "uri": "photos/none"}
        )
        catalogue.to_parquet(folder / "catalogue.parquet")
        return {"photos": PHOTOS}

    def key_of(step: str, inputs: Mapping[str, Any], build: Callable[[Path], Any]) -> str:
        return produce(step, inputs, build, context=Context(store), code="made up").key

    passed = {"passed": True, "failures": [], "warnings": []}
    verdicts = {"skills": dict.fromkeys(rows, passed), "findings": [], "photos": PHOTOS, "expectations": 0,
                "near_duplicates": 0}  # fmt: skip
    policy = {"views": 0, "policy_digest": "p", "transforms": [], "photos_shown": 0}
    report = {
        "backbone": "made-up", "backbone_digest": "b" * 64, "space": "features/some", "view_digest": "f" * 64,
        "policy_digest": "p", "dimensions": 8, "views": 0, "photos": PHOTOS, "computed": PHOTOS, "reused": 0,
        "seconds": 0.0, "photos_per_second": 0.0, "device": "cpu", "workers": 1, "groups": list(SIZES.items()),
    }  # fmt: skip
    key = key_of("split", {"ingest": key_of("ingest", {}, ingest)}, split)
    key = key_of("augment", {"validate": key_of("validate", {"split": key}, lambda _: verdicts)}, lambda _: policy)
    return key_of("embed", {"augment": key}, lambda _: report)


def fleet_of(store: FolderStore, candidates: Sequence[str] = ("linear", "knn")) -> Fleet:
    labels = {"labels": ["a", "b"], "candidates": [*candidates]}
    return small_fleet({"hard": labels, "good": labels}, store=store.uri)
