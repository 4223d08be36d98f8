"""Counts, sources and dates of the photos, from the tables of ingest and split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.tables import SPLITS, read_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """The photos of one source under one permission."""

    source: str
    permission: str
    photos: int
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFacts:
    """Facts about a group of photos.

    Attributes:
        photos: Number of photos.
        sets: Number of sets.
        counts: Photos by label and split.
        split_photos: Photos by split.
        split_sets: Sets by split.
        sources: The sources, the largest first.
        label_sources: Sources by label.
        undated: Photos without a date.
        first: Day of the oldest dated photo.
        last: Day of the newest dated photo.
        unlabelled: Photos with votes but no consensus label.
        shorter_side_px: Shorter side of the smallest and of the largest photo, in pixels; None if unknown.
    """

    photos: int = 0
    sets: int = 0
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    split_photos: Mapping[str, int] = field(default_factory=dict)
    split_sets: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[SourceFacts, ...] = ()
    label_sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    undated: int = 0
    first: date | None = None
    last: date | None = None
    unlabelled: int = 0
    shorter_side_px: tuple[int, int] | None = None

    def label_total(self, label: str) -> int:
        """Return the number of photos of a label in all splits."""
        return sum(self.counts.get(label, {}).values())


class PhotoTables:
    """The catalogue, and the labels with their splits."""

    def __init__(self, catalogue: "pd.DataFrame | None", labels: "pd.DataFrame | None") -> None:
        self._catalogue = catalogue
        self._labels = labels
        self._uris: dict[str, str] = {}
        if catalogue is not None:
            self._uris = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))

    @classmethod
    def read(cls, ingest: Path | None, split: Path | None) -> "PhotoTables":
        """Read the tables from the folders of the results of ingest and split; a missing table counts as empty."""
        catalogue = ingest / "catalogue.parquet" if ingest else None
        labels = split / "labels.parquet" if split else None
        return cls(
            read_table(catalogue) if catalogue and catalogue.is_file() else None,
            read_table(labels) if labels and labels.is_file() else None,
        )

    def uri(self, photo_id: str) -> str | None:
        """Return the key of a photo in the store, or None."""
        return self._uris.get(photo_id)

    def all_photos(self) -> PhotoFacts:
        """Return the facts about the whole catalogue."""
        if self._catalogue is None:
            return PhotoFacts()
        return _origin(self._catalogue)

    def of_skill(self, skill: str, labels: Sequence[str]) -> PhotoFacts:
        """Return the facts about the photos with a label of a skill.

        Args:
            skill: Name of the skill.
            labels: Its labels; photos with other labels do not count.
        """
        if self._catalogue is None or self._labels is None:
            return PhotoFacts()
        rows = self._labels[self._labels["skill"] == skill]
        known = rows[rows["label"].isin(list(labels))]
        drop = [name for name in ("split", "label") if name in self._catalogue.columns]
        photos = known[["photo_id", "label", "split"]].merge(self._catalogue.drop(columns=drop), on="photo_id")
        tally = photos.groupby(["label", "split"]).size()
        sources = photos.groupby("label")["source"].unique()
        return replace(
            _origin(photos),
            counts={label: {s: int(tally.get((label, s), 0)) for s in SPLITS} for label in labels},
            split_photos={s: int((photos["split"] == s).sum()) for s in SPLITS},
            split_sets={s: int(photos.loc[photos["split"] == s, "set_id"].nunique()) for s in SPLITS},
            label_sources={
                label: tuple(sorted(str(source) for source in sources[label])) for label in labels if label in sources
            },
            unlabelled=int(rows["label"].isna().sum()),
        )


def _origin(photos: "pd.DataFrame") -> PhotoFacts:
    import pandas as pd

    taken = pd.to_datetime(photos["taken_at"])
    sources = [
        SourceFacts(
            source=str(source),
            permission="" if pd.isna(permission) else str(permission),
            photos=len(rows),
            first=_day(rows.min()),
            last=_day(rows.max()),
        )
        for (source, permission), rows in taken.groupby([photos["source"], photos["permission"]], dropna=False)
    ]
    shorter = photos[["width_px", "height_px"]].min(axis=1)
    return PhotoFacts(
        photos=len(photos),
        sets=int(photos["set_id"].nunique()),
        sources=tuple(sorted(sources, key=lambda s: (-s.photos, s.source, s.permission))),
        undated=int(taken.isna().sum()),
        first=_day(taken.min()),
        last=_day(taken.max()),
        shorter_side_px=(int(shorter.min()), int(shorter.max())) if len(photos) else None,
    )


def _day(when: "pd.Timestamp") -> date | None:
    import pandas as pd

    return None if pd.isna(when) else when.date()
