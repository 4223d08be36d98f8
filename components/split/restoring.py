"""Restoring of a damaged part of the memory of splits from the results of split, which name every photo's split."""

from coachworks.errors import DamagedError
from coachworks.result import Result
from coachworks.results import load
from coachworks.store import Store
from coachworks.store.contents import TREE_FORM, Content
from coachworks.tables import read_table
from components.split.assignment_memory import Assignments, write_part


def restore_part(store: Store, key: str) -> bool:
    """Write the part at `key`, such as `splits/cars/00000001`, again.

    Returns:
        False, with nothing changed, if the store holds no intact result of split of the fleet.
    """
    fleet = key.split("/")[1]
    assigned = Assignments()
    for result in _results(store, fleet):
        try:
            splits = read_table(result.file("splits.parquet"))
        except DamagedError:
            continue
        for photo_id, set_id, split in zip(splits["photo_id"], splits["set_id"], splits["split"], strict=True):
            assigned.photos.setdefault(photo_id, split)
            assigned.sets.setdefault(set_id, split)
    if not assigned:
        return False
    store.contents().remove(Content(key, TREE_FORM, 0, ""))
    write_part(store, key, assigned)
    return True


def _results(store: Store, fleet: str) -> list[Result[object]]:
    """Return the intact results of split of a fleet, the oldest first: the first assignment is final."""
    results = []
    for name in {file.split("/")[2] for file in store.list("results/split")}:
        try:
            result: Result[object] = load(store, "split", name)
        except DamagedError:
            continue
        if result.inputs.get("fleet") == fleet:
            results.append(result)
    return sorted(results, key=lambda result: result.created_at)
