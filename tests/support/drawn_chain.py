"""A small chain of results up to embed, published as the steps before would: drawn photos, labels, features."""

import hashlib
import io

import numpy as np
import pandas as pd
from PIL import Image
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.features import view_folder, write_shard
from coachworks.photos import photo_key
from coachworks.results import produce
from coachworks.store import open_store
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.validate.report import ValidateReport
from reports import report_of

DIMENSIONS = 12
COLORS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 70, 210)}


def draw_chain(
    root,
    *,
    candidates=("linear", "knn"),
    gates=None,
    skills=None,
    photos=180,
    views=1,
    failures=(),
    unlabelled=None,
    blocks=0,
    large=0.5,
    added=0,
    relabelled=(),
):
    """A located fleet and the key of its result of embed.

    The features show `color`, but not `size`; `size` is missing from every fourth photo.
    Of `unlabelled`, a skill and a split, no photo carries a label. Of `blocks` numbers of the group `blocks-mean`, the
    first shows `size`, of which a share `large` is large. A second chain in the same store may have `added` training
    photos more, and the `relabelled` ones, by number, get the next color as their label.
    """
    settings = skills or {
        "color": {"labels": list(COLORS), "similar": [["green", "blue"]]},
        "size": {"labels": ["small", "large"]},
    }
    defaults = {"candidates": list(candidates), "gates": gates or {}}
    fleet = small_fleet(settings, name="drawn", store=str(root / "store"), defaults=defaults).located(root)
    store = open_store(fleet.spec.store)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, DIMENSIONS)) * 1.5
    catalogue, labels, splits, features = [], [], [], []
    sizes = []
    for number in range(photos + added):
        color = number % 3
        image = Image.new("RGB", (64, 48), tuple(COLORS.values())[color])
        image.putpixel((number % 64, number // 64), (255, 255, 255))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        photo_id = hashlib.sha256(buffer.getvalue()).hexdigest()
        store.write(photo_key(photo_id, "png"), buffer.getvalue())
        name = f"{number:03}.png"
        catalogue.append({"photo_id": photo_id, "uri": photo_key(photo_id, "png"), "filename": name})
        point = centres[color] + rng.normal(size=DIMENSIONS)
        features.append(point)
        set_id = f"set-{number // 2}"
        split = (
            "train" if number < photos * 0.6 or number >= photos else "validation" if number < photos * 0.8 else "test"
        )
        splits.append({"photo_id": photo_id, "set_id": set_id, "split": split})
        labels.append(
            {
                "photo_id": photo_id,
                "skill": "color",
                "label": list(COLORS)[(color + (number in relabelled)) % 3],
                "split": split,
            }
        )
        sizes.append(0)
        if number % 4:
            size = "large" if rng.random() < large else "small"
            sizes[-1] = 1 if size == "large" else -1
            labels.append({"photo_id": photo_id, "skill": "size", "label": size, "split": split})

    labels = [row for row in labels if (row["skill"], row["split"]) != unlabelled]

    def publish(step, upstream, report, tables=()):
        def build(folder):
            for name, rows in tables:
                pd.DataFrame(rows).to_parquet(folder / name)
            return report

        return produce(step, upstream, build, context=Context(store), code="drawn").key

    votes = [{"photo_id": row["photo_id"], "skill": row["skill"], "label": row["label"]} for row in labels]
    tables = [("catalogue.parquet", catalogue), ("votes.parquet", votes)]
    ingest = publish("ingest", {"content": len(catalogue), "relabelled": sorted(relabelled)}, {}, tables)
    split = publish(
        "split",
        {"ingest": ingest, "unlabelled": unlabelled, "relabelled": sorted(relabelled)},
        {},
        [("labels.parquet", labels), ("splits.parquet", splits)],
    )
    verdicts = {
        skill: {
            "passed": skill not in failures,
            "failures": [{"message": "photos leak across splits"}] if skill in failures else [],
        }
        for skill in settings
    }
    validate = publish(
        "validate", {"split": split, "failures": sorted(failures)}, report_of(ValidateReport, {"skills": verdicts})
    )
    augment = publish(
        "augment", {"validate": validate}, report_of(AugmentReport, {"views": views, "policy_digest": "a" * 64})
    )
    ids = [row["photo_id"] for row in catalogue]
    first = photos if added or relabelled else 0  # the features of the others are in the store
    groups = {"last": np.asarray(features, np.float32)}
    if blocks:
        groups["blocks-mean"] = rng.normal(size=(len(ids), blocks)).astype(np.float16)
        groups["blocks-mean"][:, 0] += 4 * np.asarray(sizes)
    for group, clean in groups.items():
        if first == len(ids):
            break
        clean = clean[first:]
        write_shard(store, view_folder("features/drawn", "a" * 64, 0, group), ids[first:], clean)
        for view in range(1, views + 1):
            noisy = clean + rng.normal(size=clean.shape).astype(np.float32) * 0.3
            write_shard(
                store, view_folder("features/drawn", "a" * 64, view, group), ids[first:], noisy.astype(clean.dtype)
            )
    embed = publish(
        "embed",
        {"augment": augment},
        report_of(
            EmbedReport,
            {
                "backbone_digest": "b" * 64,
                "space": "features/drawn",
                "view_digest": "a" * 64,
                "dimensions": DIMENSIONS,
                "views": views,
                "groups": [[group, table.shape[1]] for group, table in groups.items()] if blocks else [],
            },
        ),
    )
    return fleet, embed
