"""The step split as a library function."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import load, produce
from coachworks.tables import SPLIT_LABELS, SPLITS, read_table, with_present_names, write_table
from components.split.assignment_memory import Assignments, Memory
from components.split.config import SplitConfig
from components.split.decide import Decision, SetFacts, decide
from components.split.linked_sets import link, shared_photos
from components.split.report import SplitReport

if TYPE_CHECKING:
    import pandas as pd

SPLITS_COLUMNS = {"photo_id": "string", "set_id": "string", "split": "string"}


def split(
    fleet: Fleet, ingest: str, *, config: SplitConfig | None = None, context: Context | None = None
) -> Result[SplitReport]:
    """Give each set of photos to train, validation or test.

    The result holds `labels.parquet`, the labels with their split, and `splits.parquet`, the split of every photo.
    Splits are remembered in the store under the fleet's name: they stay the same when more photos are added.

    Args:
        fleet: The located fleet.
        ingest: Key of the result of ingest.
        config: Settings; the step has none.
        context: The surroundings of the task; None opens the fleet's own store.
    """
    context = context or open_context(fleet)
    store = context.store
    shares = {"train": fleet.spec.split.train, "validation": fleet.spec.split.validation, "test": fleet.spec.split.test}
    known = load(store, "ingest", ingest).report.get("skills", ())  # of before a skill was renamed, perhaps
    renamed = {was: name for was, name in fleet.renamed.items() if was in known}

    def build(folder: Path) -> SplitReport:
        source = load(store, "ingest", ingest).path
        catalogue = read_table(source / "catalogue.parquet")
        labels = with_present_names(read_table(source / "labels.parquet"), renamed)
        rejected = json.loads((source / "rejected.json").read_text("utf-8"))
        decision = _decide(catalogue, labels, rejected, Memory(store, fleet.name), shares)
        for conflict in decision.conflicts:
            context.progress.note(f"split: {', '.join(conflict.sets[:3])}: {conflict.message}")
        return _write(folder, catalogue, labels, decision, list(fleet.spec.skills))

    inputs: dict[str, Any] = {"ingest": ingest, "fleet": fleet.name, "shares": shares}
    if renamed:
        inputs["renamed"] = renamed
    return produce(SplitReport, inputs, build, context=context, code=code_digest(__name__))


def _decide(
    catalogue: "pd.DataFrame",
    labels: "pd.DataFrame",
    rejected: list[dict[str, str]],
    memory: Memory,
    shares: Mapping[str, float],
) -> Decision:
    """Decide the split of every set, and remember it before a later step can use it."""
    sets: dict[str, SetFacts] = {}
    set_of_photo = dict(zip(catalogue["photo_id"], catalogue["set_id"], strict=True))
    set_of_file = dict(zip(catalogue["filename"], catalogue["set_id"], strict=True))
    for photo_id, set_id in sorted(set_of_photo.items()):
        sets.setdefault(set_id, SetFacts()).photos.append(photo_id)
    demanded = catalogue[catalogue["split"].notna()]
    demands = [*zip(demanded["set_id"], demanded["split"], strict=True)]
    demands += [
        (set_of_file[entry["same_as"]], entry["split"])
        for entry in rejected
        if entry.get("split") and entry.get("same_as") in set_of_file
    ]
    for set_id, demand in demands:
        sets[set_id].demands.add(demand)
    counted = labels[labels["label"].notna()]
    for photo_id, skill, label in zip(counted["photo_id"], counted["skill"], counted["label"], strict=True):
        sets[set_of_photo[photo_id]].labels[skill, label] += 1
    groups = link(sets, shared_photos(rejected, set_of_file))
    while True:
        decision = decide(sets, groups, memory.read(), shares)
        new = Assignments(
            decision.splits, {photo_id: decision.splits[set_id] for photo_id, set_id in set_of_photo.items()}
        )
        if memory.append(new):
            return decision


def _write(
    folder: Path, catalogue: "pd.DataFrame", labels: "pd.DataFrame", decision: Decision, skills: list[str]
) -> SplitReport:
    splits = catalogue[["photo_id", "set_id"]].assign(split=catalogue["set_id"].map(decision.splits))
    write_table(splits, folder / "splits.parquet", SPLITS_COLUMNS)
    labels = labels.assign(split=labels["photo_id"].map(dict(zip(splits["photo_id"], splits["split"], strict=True))))
    write_table(labels, folder / "labels.parquet", SPLIT_LABELS)
    counted = labels[labels["label"].notna()].groupby(["skill", "label", "split"]).size()
    per_skill: dict[str, dict[str, dict[str, int]]] = {skill: {} for skill in skills}
    for (skill, label, name), count in counted.items():
        per_skill.setdefault(skill, {}).setdefault(label, dict.fromkeys(SPLITS, 0))[name] = int(count)
    photos, sets = splits["split"].value_counts(), splits.drop_duplicates("set_id")["split"].value_counts()
    return SplitReport(
        photos={name: int(photos.get(name, 0)) for name in SPLITS},
        sets={name: int(sets.get(name, 0)) for name in SPLITS},
        skills=per_skill,
        remembered=decision.remembered,
        demanded=decision.demanded,
        conflicts=decision.conflicts,
    )
