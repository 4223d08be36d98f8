"""Evidence: the tables to validate, with computed columns for the rules that need more than one row or table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.fleet.model import RULE_OF_THUMB_PHOTOS_PER_LABEL, Checks, Fleet
from coachworks.tables import CATALOGUE, SPLITS, arrow_schema
from validation.near_duplicates import NearDuplicates
from validation.quality import QualityLabel, find_quality_labels, measures

if TYPE_CHECKING:
    import pandas as pd

_MIN_SETS = 3  # one per split: train, validation and test
_CLOCK_LEEWAY_DAYS = 1  # EXIF times have no time zone: a photo may seem to be taken after its ingest


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The tables to validate, with their computed columns.

    Attributes:
        catalogue: One row per photo. Computed: `split`, `short_side_px`, `relative_sharpness` (variance of the
            Laplacian divided by that of the grey values), `latest_taken_at`, `look_alike` and one `<column>_intended`
            per quality measure.
        labels: One row per photo and skill of the fleet. Computed: `set_id`, `admissible`, `held_out` (admissible and
            not in the train split), `seen_before`, `look_alike_disagrees`, `skill_and_label` and `skill_and_set`.
        answers: The votes without the answer *unsure*. Computed: `skill_and_photo`.
        coverage: One row per skill and label: `photos`, `needed` (the gate or the rule of thumb), `missing` (to it),
            `sets`, one column per split, `gated` (the fleet file sets the gate), `labelled` (the skill has labels),
            `usable` (can be trained and evaluated).
        skills: One row per skill: `photos` with an admissible label.
        pairs: Pairs of photos of different sets that look alike.
        quality_labels: By check: labels that describe poor photos.
        attributes: Photos per value, by column of the catalogue that is neither computed nor a skill's.
    """

    catalogue: "pd.DataFrame"
    labels: "pd.DataFrame"
    answers: "pd.DataFrame"
    coverage: "pd.DataFrame"
    skills: "pd.DataFrame"
    pairs: tuple[tuple[str, str], ...]
    quality_labels: Mapping[str, tuple[QualityLabel, ...]]
    attributes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return the tables by name."""
        return {
            "catalogue": self.catalogue,
            "labels": self.labels,
            "answers": self.answers,
            "coverage": self.coverage,
            "skills": self.skills,
        }

    def photos_of(self, skill: str) -> frozenset[str]:
        """Return the ids of the photos with a label of the skill."""
        rows = self.labels[(self.labels["skill"] == skill) & self.labels["label"].notna()]
        return frozenset(rows["photo_id"])


def schema_table(files: Mapping[str, tuple[Path, Mapping[str, str]]]) -> "pd.DataFrame":
    """Compare the columns of tables with their schemas; the result has columns `table`, `column`, `expected`, `actual`.

    Args:
        files: By table: its Parquet file, and its required columns with their Arrow types.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    rows = []
    for table, (path, columns) in files.items():
        schema = pq.read_schema(path)
        for column in arrow_schema(dict(columns)):
            kind = str(schema.field(column.name).type) if column.name in schema.names else "missing"
            rows.append((table, column.name, str(column.type), kind.removeprefix("large_")))
    return pd.DataFrame(rows, columns=["table", "column", "expected", "actual"])


def vocabulary(fleet: Fleet) -> list[str]:
    """Return all allowed values of the column `skill_and_label`: `skill/label`; names of skills contain no slash."""
    return [f"{name}/{label}" for name, skill in fleet.spec.skills.items() for label in skill.labels]


def pairs_across_sets(near: NearDuplicates, catalogue: "pd.DataFrame") -> tuple[tuple[str, str], ...]:
    """Return the near duplicates of different sets; photos of one set show the same thing and may look alike."""
    sets = dict(zip(catalogue["photo_id"], catalogue["set_id"], strict=True))
    return tuple(pair for pair in near.pairs if sets[pair[0]] != sets[pair[1]])


def gather(
    fleet: Fleet,
    checks: Checks,
    *,
    catalogue: "pd.DataFrame",
    splits: "pd.DataFrame",
    labels: "pd.DataFrame",
    votes: "pd.DataFrame",
    pairs: tuple[tuple[str, str], ...],
) -> Evidence:
    """Compute the evidence from the tables of earlier steps.

    Args:
        fleet: The fleet.
        checks: Limits of quality.
        catalogue: Table of ingest.
        splits: Table of split, one row per photo: photo_id, set_id, split.
        labels: Table of split.
        votes: Table of ingest.
        pairs: Pairs of photos of different sets that look alike.
    """
    import pandas as pd

    skills = list(fleet.spec.skills)
    attributes = {
        name: dict(Counter(map(str, catalogue[name].dropna()))) for name in catalogue.columns if name not in CATALOGUE
    }
    catalogue = catalogue.drop(columns="split").merge(
        splits[["photo_id", "split"]].drop_duplicates("photo_id"), on="photo_id", how="left"
    )
    catalogue["short_side_px"] = catalogue[["width_px", "height_px"]].min(axis=1)
    # The Laplacian grows with the contrast; dividing by it keeps smooth scenes from counting as blurred.
    variance = (255 * catalogue["contrast"]) ** 2
    catalogue["relative_sharpness"] = (catalogue["sharpness"] / variance).where(variance > 0)
    catalogue["latest_taken_at"] = catalogue["ingested_at"] + pd.Timedelta(days=_CLOCK_LEEWAY_DAYS)
    catalogue["look_alike"] = catalogue["photo_id"].isin({photo_id for pair in pairs for photo_id in pair})

    labels = labels[labels["skill"].isin(skills)].reset_index(drop=True)
    labels = labels.astype(dict.fromkeys(("photo_id", "skill", "label", "split"), "str"))  # empty tables have no dtypes
    sets = dict(zip(splits["photo_id"], splits["set_id"], strict=True))
    labels["set_id"] = labels["photo_id"].map(sets).astype("str")
    labels["skill_and_set"] = labels["skill"] + "/" + labels["set_id"]
    labels["skill_and_label"] = labels["skill"] + "/" + labels["label"]
    labels["admissible"] = labels["skill_and_label"].isin(vocabulary(fleet))
    admissible = labels[labels["admissible"]]
    _mark_look_alikes(labels, admissible, pairs)
    labels["held_out"] = labels["admissible"] & (labels["split"] != SPLITS[0])

    quality_labels = {}
    for measure in measures(checks):
        poor = pd.Series(measure.poor_photos(catalogue).to_numpy(bool), index=catalogue["photo_id"])
        labels_of_measure = tuple(find_quality_labels(poor[~poor.index.duplicated()], admissible))
        quality_labels[measure.check] = labels_of_measure
        catalogue[measure.intended_column] = catalogue["photo_id"].isin(
            {photo_id for label in labels_of_measure for photo_id in label.photo_ids}
        )

    coverage = _coverage(fleet, admissible)
    return Evidence(
        catalogue=catalogue,
        labels=labels,
        answers=_answers(fleet, votes),
        coverage=coverage,
        skills=coverage.groupby("skill", sort=False, as_index=False)["photos"].sum(),
        pairs=pairs,
        quality_labels=quality_labels,
        attributes=attributes,
    )


def _mark_look_alikes(labels: "pd.DataFrame", admissible: "pd.DataFrame", pairs: tuple[tuple[str, str], ...]) -> None:
    in_pairs = {photo_id for pair in pairs for photo_id in pair}
    known: dict[tuple[str, str], tuple[str, str | None]] = {}
    for row in admissible[admissible["photo_id"].isin(in_pairs)].itertuples():
        known[row.skill, row.photo_id] = (row.label, row.split)
    order = {split: index for index, split in enumerate(SPLITS)}
    seen: set[str] = set()
    disagree: set[str] = set()
    for skill in labels["skill"].unique():
        for pair in pairs:
            if any((skill, photo_id) not in known for photo_id in pair):
                continue
            (first, first_split), (second, second_split) = (known[skill, photo_id] for photo_id in pair)
            if first != second:
                disagree.update(f"{skill}/{photo_id}" for photo_id in pair)
            if first_split != second_split and first_split in order and second_split in order:
                later = pair[0] if order[first_split] > order[second_split] else pair[1]
                seen.add(f"{skill}/{later}")
    keys = labels["skill"] + "/" + labels["photo_id"]
    labels["seen_before"] = keys.isin(seen)
    labels["look_alike_disagrees"] = keys.isin(disagree)


def _answers(fleet: Fleet, votes: "pd.DataFrame") -> "pd.DataFrame":
    votes = votes[votes["skill"].isin(list(fleet.spec.skills)) & votes["label"].notna()]
    unsure = votes["skill"].map({name: skill.unsure for name, skill in fleet.spec.skills.items()})
    answers = votes[(votes["label"] != unsure) | unsure.isna()].reset_index(drop=True)
    answers = answers.astype(dict.fromkeys(("photo_id", "skill", "label"), "str"))
    return answers.assign(skill_and_photo=answers["skill"] + "/" + answers["photo_id"])


def _coverage(fleet: Fleet, admissible: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    rows = []
    groups = dict(iter(admissible.groupby(["skill", "label"], sort=False)))
    for name, skill in fleet.spec.skills.items():
        gate = fleet.gates(name).min_photos_per_label
        needed = gate or RULE_OF_THUMB_PHOTOS_PER_LABEL
        labelled = any((name, label) in groups for label in skill.labels)
        for label in skill.labels:
            group = groups.get((name, label), admissible.iloc[:0])
            sets = int(group["set_id"].nunique())
            per_split = {split: int((group["split"] == split).sum()) for split in SPLITS}
            rows.append(
                {
                    "skill": name,
                    "label": label,
                    "photos": len(group),
                    "needed": needed,
                    "missing": max(0, needed - len(group)),
                    "sets": sets,
                    **per_split,
                    "gated": gate is not None,
                    "labelled": labelled,
                    "usable": sets >= _MIN_SETS and per_split["train"] > 0 and per_split["test"] > 0,
                }
            )
    return pd.DataFrame(rows)
