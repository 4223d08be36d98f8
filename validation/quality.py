"""Photo quality: which photos are poor, and whether a label asks for them.

A skill may ask about quality itself. Its blurry photos are then no damage but data: where most photos of a label are
poor in one respect and hardly any of the skill's other labels, the label is taken to mean that.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coachworks.fleet.model import Checks

if TYPE_CHECKING:
    import pandas as pd

_MEANT_SHARE = 0.5  # most photos of the label …
_OTHERS_SHARE = 0.1  # … and hardly any of the other labels
_MEANT_PHOTOS = 3  # fewer say nothing about a label


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One respect in which a photo can be poor.

    Attributes:
        check: Name of the check.
        column: Column of the catalogue.
        poor: What such a photo is called.
        rule: The rule in words.
        least: Smallest good value, or None.
        most: Largest good value, or None.
        way_out: What to do.
    """

    check: str
    column: str
    poor: str
    rule: str
    least: float | None = None
    most: float | None = None
    way_out: str

    def poor_photos(self, catalogue: "pd.DataFrame") -> "pd.Series":
        """Which photos of the catalogue are poor, as booleans; what was not measured is not poor."""
        values = catalogue[self.column]
        poor = values.isna() & False
        if self.least is not None:
            poor |= values < self.least
        if self.most is not None:
            poor |= values > self.most
        return poor


def measures(checks: Checks) -> tuple[Measure, ...]:
    """The measures that photos are held to."""
    again = "Take them again, or leave them out of the table."
    return (
        Measure(
            check="sharpness",
            column="relative_sharpness",
            poor="blurry",
            rule=f"a sharpness of at least {checks.min_sharpness:g} in relation to its contrast",
            least=checks.min_sharpness,
            way_out=f"{again} Lower `minSharpness` if the things are smooth by nature.",
        ),
        Measure(
            check="brightness",
            column="brightness",
            poor="too dark or too bright",
            rule=f"a mean brightness of {checks.min_brightness:g} to {checks.max_brightness:g}",
            least=checks.min_brightness,
            most=checks.max_brightness,
            way_out=f"{again} Move `minBrightness` and `maxBrightness` if the scene is like that.",
        ),
        Measure(
            check="contrast",
            column="contrast",
            poor="without contrast",
            rule=f"a contrast of at least {checks.min_contrast:g}",
            least=checks.min_contrast,
            way_out=f"{again} A covered lens or a plain wall looks like this.",
        ),
        Measure(
            check="size",
            column="short_side_px",
            poor="small",
            rule=f"a shorter side of at least {checks.min_side_px} px",
            least=checks.min_side_px,
            way_out="Ask the source for the originals rather than previews, or lower `minSidePx`.",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Meant:
    """A label whose photos are poor in one respect, and those of the skill's other labels are not.

    Attributes:
        skill: The skill.
        label: The label.
        share: Share of the label's photos that are poor.
        photo_ids: The poor photos of the label.
    """

    skill: str
    label: str
    share: float
    photo_ids: tuple[str, ...]


def labels_that_mean(poor: "pd.Series", labels: "pd.DataFrame") -> list[Meant]:
    """The labels that ask for poor photos.

    Args:
        poor: Booleans by photo id.
        labels: Admissible labels: columns photo_id, skill, label.
    """
    frame = labels[["photo_id", "skill", "label"]].assign(poor=labels["photo_id"].map(poor).fillna(False).astype(bool))
    meant = []
    for skill, rows in frame.groupby("skill", sort=False):
        by_label = rows.groupby("label", sort=False)["poor"].agg(["mean", "sum"])
        high = by_label[(by_label["mean"] >= _MEANT_SHARE) & (by_label["sum"] >= _MEANT_PHOTOS)]
        others = rows[~rows["label"].isin(high.index)]
        if high.empty or others.empty or others["poor"].mean() > _OTHERS_SHARE:
            continue
        for label, share in high["mean"].items():
            ids = rows.loc[(rows["label"] == label) & rows["poor"], "photo_id"]
            meant.append(Meant(skill=str(skill), label=str(label), share=float(share), photo_ids=tuple(ids)))
    return meant
