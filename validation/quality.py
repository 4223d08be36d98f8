"""Photo quality: measures of poor photos, and labels that describe poor photos.

A skill may be about quality itself; its blurry photos are then intended. If most photos of a label are poor by one
measure, and hardly any photos of the skill's other labels are, the label is taken to describe that.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coachworks.fleet.model import Checks

if TYPE_CHECKING:
    import pandas as pd

_LABEL_SHARE = 0.5  # smallest share of poor photos within the label …
_OTHERS_SHARE = 0.1  # … and largest share within the other labels
_MIN_PHOTOS = 3  # fewer poor photos are no evidence about a label


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of photo quality.

    Attributes:
        check: Name of the check.
        column: Column of the catalogue.
        poor: Adjective for a photo outside the limits.
        quantity: The measured quantity in words.
        minimum: Smallest good value.
        maximum: Largest good value, or None.
        way_out: Remedy.
        unit: Unit of the limits, or "".
    """

    check: str
    column: str
    poor: str
    quantity: str
    minimum: float
    maximum: float | None
    way_out: str
    unit: str = ""

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.maximum is not None:
            return f"{self.quantity} of {self.minimum:g} to {self.maximum:g}{self.unit}"
        return f"{self.quantity} of at least {self.minimum:g}{self.unit}"

    @property
    def intended_column(self) -> str:
        """Column of the evidence: True if the photo's label describes photos that are poor by this measure."""
        return f"{self.column}_intended"

    def poor_photos(self, catalogue: "pd.DataFrame") -> "pd.Series":
        """Return a boolean per photo of the catalogue: True if it is poor; missing values are not poor."""
        values = catalogue[self.column]
        poor = values < self.minimum
        return poor if self.maximum is None else poor | (values > self.maximum)


def measures(checks: Checks) -> tuple[Measure, ...]:
    """Return the measures of photo quality, with the limits of the fleet."""
    retake = "Take them again, or remove them from the table."
    smooth = f"{retake} If the objects are smooth by nature, lower `minSharpness`."
    scene = f"{retake} If the scene is like that, change `minBrightness` and `maxBrightness`."
    covered = f"{retake} A covered lens or a plain wall looks like this."
    small = "Ask the source for the originals instead of previews, or lower `minSidePx`."
    low, high = checks.min_brightness, checks.max_brightness
    dark = "too dark or too bright"
    sharpness = "a sharpness relative to its contrast"
    return (
        Measure("sharpness", "relative_sharpness", "blurry", sharpness, checks.min_sharpness, None, smooth),
        Measure("brightness", "brightness", dark, "a mean brightness", low, high, scene),
        Measure("contrast", "contrast", "without contrast", "a contrast", checks.min_contrast, None, covered),
        Measure("size", "short_side_px", "small", "a shorter side", checks.min_side_px, None, small, " px"),
    )


@dataclass(frozen=True, kw_only=True)
class QualityLabel:
    """A label whose photos are poor by one measure, unlike those of the skill's other labels.

    Attributes:
        skill: Name of the skill.
        label: The label.
        share: Share of the label's photos that are poor.
        photo_ids: The poor photos of the label.
    """

    skill: str
    label: str
    share: float
    photo_ids: tuple[str, ...]


def find_quality_labels(poor: "pd.Series", labels: "pd.DataFrame") -> list[QualityLabel]:
    """Find the labels that describe poor photos.

    Args:
        poor: A boolean per photo id.
        labels: Admissible labels: columns photo_id, skill, label.
    """
    frame = labels[["photo_id", "skill", "label"]].assign(poor=labels["photo_id"].map(poor).fillna(False).astype(bool))
    quality_labels = []
    for skill, rows in frame.groupby("skill", sort=False):
        by_label = rows.groupby("label", sort=False)["poor"].agg(["mean", "sum"])
        high = by_label[(by_label["mean"] >= _LABEL_SHARE) & (by_label["sum"] >= _MIN_PHOTOS)]
        others = rows[~rows["label"].isin(high.index)]
        if high.empty or others.empty or others["poor"].mean() > _OTHERS_SHARE:
            continue
        for label, share in high["mean"].items():
            ids = rows.loc[(rows["label"] == label) & rows["poor"], "photo_id"]
            quality_labels.append(
                QualityLabel(skill=str(skill), label=str(label), share=float(share), photo_ids=tuple(ids))
            )
    return quality_labels
