"""The labels that later steps may use: those of the skills that passed validate."""

from typing import TYPE_CHECKING, Any

from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.store import Store
from coachworks.tables import read_table
from components.validate.report import ValidateReport

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("photo_id", "set_id", "skill", "label", "split")


def admitted(store: Store, result: Result[Any], fleet: Fleet) -> "pd.DataFrame":
    """Read the labels of the skills that passed, each from its skill's vocabulary.

    Args:
        store: The store of the results.
        result: The result of validate, or of a later step.
        fleet: The fleet; skills that are no longer in it are left out.

    Returns:
        Columns photo_id, set_id, skill, label, split; one row per photo and skill, in the order of the table of split.
    """
    import pandas as pd

    judged = ancestor(store, result, ValidateReport)
    split = ancestor(store, judged, "split")
    vocabulary = {
        (skill, label)
        for skill, verdict in judged.report.skills.items()
        if verdict.passed and skill in fleet.spec.skills
        for label in fleet.skill(skill).labels
    }
    labels = read_table(split.path / "labels.parquet")
    known = [pair in vocabulary for pair in zip(labels["skill"], labels["label"], strict=True)]
    labels = labels[pd.Series(known, index=labels.index, dtype=bool)]
    sets = read_table(split.path / "splits.parquet")[["photo_id", "set_id"]].drop_duplicates("photo_id")
    return labels.drop(columns="set_id", errors="ignore").merge(sets, on="photo_id", how="left")[list(COLUMNS)]
