"""Paragraph of a skill's document on how many of its labels are wrong, and which are mistaken for which."""

from collections.abc import Sequence

from components.document.content import Paragraph
from components.document.phrases import count, interval, percent, percents, quoted
from components.document.run_records import SkillRecord, estimate, number, part, whole, words

_NOTABLE = 0.02  # share of a label's photos from which a mistaken label is named


def label_noise(record: SkillRecord) -> Paragraph | None:
    """Return the estimated share of wrong labels and the most frequent confusion; None where it was not estimated."""
    noise = part(record.trained, "label_noise")
    level = estimate(noise, "level")
    if level.value is None:
        return None
    text = (
        f"About {percent(level.value)} of the labels of training and validation photos are estimated to be wrong "
        f"({interval(level.low, level.high)}). Each of {count(whole(noise, 'photos'), 'photo')} was answered by a copy "
        "of the skill that was trained without it, and a label counts as wrong where this copy was confident of "
        "another one. Labels that the skill cannot tell apart count as well, so it is an estimate."
    )
    text += _most_frequent(record, noise.get("transition"))
    suspicious = whole(noise, "suspicious")
    if suspicious:
        listed = "label is" if suspicious == 1 else "labels are"
        text += f" {count(suspicious)} suspicious {listed} listed for people to check, with the photos."
    text += _training(record)
    return Paragraph(
        f"{text} No label was changed, and the labels of test photos were not judged.", lead="Wrong labels."
    )


def _training(record: SkillRecord) -> str:
    """Sentence on the training that stands wrong labels; empty where too few labels are wrong to try it."""
    noise = part(record.trained, "label_noise")
    losses, loss = part(noise, "losses"), words(noise, "loss")
    if not losses:
        return ""
    tried = "So many wrong labels call for training that stands them"
    if not loss:
        return f" {tried}; it was tried and was no better by more than chance, so it is not used."
    before = next(iter(losses))  # the winner of the competition comes first
    shares = percents(number(losses, loss), number(losses, before))
    return f" {tried}; it is used, and was right for {shares[0]} of photos held out, against {shares[1]} without it."


def _most_frequent(record: SkillRecord, transition: object) -> str:
    """Sentence on the label that is given most often in place of another one."""
    names = record.trained.get("labels") or record.labels
    if not isinstance(transition, Sequence) or not isinstance(names, Sequence):
        return ""
    shares = [
        (float(share), str(names[true]), str(names[mistaken]))
        for true, row in enumerate(transition)
        for mistaken, share in enumerate(row)
        if mistaken != true
    ]
    share, true, mistaken = max(shares, key=lambda entry: entry[0], default=(0.0, "", ""))
    if share < _NOTABLE:
        return ""
    return f" Most often, photos of {quoted(true)} are labelled {quoted(mistaken)}: about {percent(share)} of them."
