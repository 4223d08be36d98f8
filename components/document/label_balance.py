"""Paragraph of a skill's document on labels with uneven numbers of photos, and what is done about them."""

from collections.abc import Mapping
from typing import Any

from coachworks.wording import joined
from components.document.content import Paragraph
from components.document.phrases import percent, quoted
from components.document.run_records import SkillRecord, number, part, parts, words

_UNEVEN = 1.5  # ratio of the largest to the smallest number of photos from which the document mentions it
_POLICIES = {
    "balanced": "photos of rare labels counted more",
    "logit-adjustment": "answers corrected for how frequent their labels are",
    "focal": "photos of rare labels, and those that are hard to answer, counted more",
    "none": "nothing done about it",
}


def label_balance(record: SkillRecord) -> Paragraph | None:
    """Return how uneven the labels are in training, what is done about it, against what and how sure that is."""
    splits = ("train", "validation") if record.trained.get("refitted") else ("train",)
    counts = {label: sum(record.facts.counts.get(label, {}).get(s, 0) for s in splits) for label in record.labels}
    present = {label: n for label, n in counts.items() if n}
    if not present:
        return None
    rare, common = min(present, key=lambda k: present[k]), max(present, key=lambda k: present[k])
    ratio = present[common] / present[rare]
    if ratio < _UNEVEN:
        return _paragraph("All labels have about the same number of training photos.")
    text = f"{quoted(common)} has {ratio:.1f} times as many training photos as {quoted(rare)}."
    return _paragraph(" ".join(filter(None, [text, _comparison(record), _consequence(record, rare, common)])))


def _paragraph(text: str) -> Paragraph:
    return Paragraph(text, lead="Uneven labels.")


def _comparison(record: SkillRecord) -> str:
    imbalance = part(record.trained, "imbalance")
    trials = {words(trial, "policy"): trial for trial in parts(imbalance, "trials")}
    chosen = words(imbalance, "policy")
    if chosen not in trials:
        return ""
    own, *others = (
        f"{percent(number(trials[name], 'balanced_accuracy'), digits=1)} with {_POLICIES.get(name, name)}"
        for name in sorted(trials, key=lambda name: name != chosen)
    )
    error = max(number(trial, "standard_error") or 0 for trial in trials.values())
    return (
        "What to do about that was measured on photos that were held out in turn, all labels counting alike. A simple "
        f"model was right for {own}, which is chosen; it was right for {joined(others)} (uncertainty of a difference: "
        f"one standard error, at most {100 * error:.1f} percentage points)."
    )


def _consequence(record: SkillRecord, rare: str, common: str) -> str:
    if words(record.trained, "winner") == "linear" and _policy(record) == "logit-adjustment":
        return "So frequent labels are not favoured in the answers."
    weights = part(record.trained, "class_weights")
    weight, other = number(weights, rare), number(weights, common)
    if weight is not None and other is not None and other > 0 and weight > other:
        return (
            f"In training, one photo of {quoted(rare)} counts as much as {weight / other:.1f} of {quoted(common)}, so "
            "that frequent labels are not favoured."
        )
    favoured = "In training, every photo counts the same, so frequent labels are favoured."
    return favoured if weights or _policy(record) == "none" else ""


def _policy(record: SkillRecord) -> str:
    """The skill's policy; of earlier versions, that of all skills."""
    whole: Mapping[str, Any] = record.results["train"].report if "train" in record.results else {}
    return words(part(record.trained, "imbalance"), "policy") or words(whole, "class_weights")
