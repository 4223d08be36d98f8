"""Paragraph of a skill's document on the numbers that describe a photo, and why the skill reads these."""

from collections.abc import Sequence
from typing import Any

from coachworks.feature_groups import CELLS, CLASS, LAST, MEAN, STD
from coachworks.wording import joined
from components.document.content import Paragraph
from components.document.phrases import percent
from components.document.run_records import SkillRecord, number, parts

_GROUPS = {
    LAST: "the result of its last layer",
    CLASS: "the summary that each layer makes of the photo",
    MEAN: "how strongly each pattern of every layer occurs on average",
    STD: "how unevenly each pattern is spread over the photo",
    CELLS: "in which quarter of the photo each pattern occurs",
}


def feature_choice(record: SkillRecord) -> Paragraph | None:
    """Return which numbers of the network's pass the skill reads, against what they won and how sure that is.

    None where the network gave one kind of number only, or an earlier version of coachworks trained the skill.
    """
    tried = {_groups(trial): trial for trial in parts(record.trained, "feature_trials")}
    chosen = _groups(record.trained)
    if chosen not in tried or len(tried) < 2:
        return None
    kinds = joined([_GROUPS.get(group, group) for group in chosen])
    own, error = _accuracy(tried[chosen]), number(tried[chosen], "standard_error")
    uncertain = "" if error is None else f" (uncertainty: one standard error, {100 * error:.1f} percentage points)"
    others = [f"{_accuracy(trial)} with {_named(groups)}" for groups, trial in tried.items() if groups != chosen]
    return Paragraph(
        f"The network describes a photo by several kinds of number, and this skill reads {kinds}. A simple model of "
        f"these was right for {own} of the photos that were held out in turn, all labels counting alike{uncertain}; "
        f"it was right for {joined(others)}. Of the choices within one standard error of the best, that with the "
        "fewest numbers is taken.",
        lead="Description of a photo.",
    )


def _groups(mapping: Any) -> tuple[str, ...]:
    value = mapping.get("feature_groups") or mapping.get("groups")
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()


def _named(groups: tuple[str, ...]) -> str:
    return "the last layer alone" if groups == (LAST,) else f"{len(groups)} kinds of number"


def _accuracy(trial: Any) -> str:
    return percent(number(trial, "balanced_accuracy"), digits=1)
