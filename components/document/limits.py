"""Limits of a skill, derived from its data and its evaluation."""

from coachworks.fleet.model import RULE_OF_THUMB_PHOTOS_PER_LABEL
from coachworks.wording import joined, noun_for
from components.document.conclusions import ROUGH_WIDTH
from components.document.content import Items, Paragraph, Section
from components.document.phrases import count, day, interval, percent, quoted
from components.document.run_records import SkillRecord, estimate, number, part

_FEW_TEST_SETS = 100  # below it, a single set changes the figures visibly
_UNDATED_SHARE = 0.2
_MISCALIBRATED = 0.05
_NAMES = 6


def limits(record: SkillRecord) -> Section:
    """Return the section on limits."""
    sentences = [
        *_few_photos(record),
        *_weak(record),
        *_wide(record),
        *_one_origin(record),
        *_small_test(record),
        *_never_shown(record),
        *_probabilities(record),
    ]
    blocks = (
        Paragraph("Derived from the data and the measurements of this run. Consider them wherever the skill is used."),
        Items(tuple(sentences)),
    )
    return Section("limits", "Limits", blocks)


def _few_photos(record: SkillRecord) -> list[str]:
    totals = {label: record.facts.label_total(label) for label in record.labels}
    few = sorted((n, label) for label, n in totals.items() if 0 < n < RULE_OF_THUMB_PHOTOS_PER_LABEL)
    none = [quoted(label) for label, n in totals.items() if n == 0]
    sentences = []
    if none:
        sentences.append(
            f"No photo shows {joined(none, most=_NAMES)}: the skill cannot recognise "
            f"{noun_for(len(none), 'it', 'them')}."
        )
    if few:
        names = joined((f"{quoted(label)} ({count(n)})" for n, label in few), most=_NAMES)
        sentences.append(
            f"{count(len(few), 'label has', 'labels have')} fewer photos than the rule of thumb of "
            f"{count(RULE_OF_THUMB_PHOTOS_PER_LABEL)}: {names}. Labels with few photos are learnt less reliably."
        )
    return sentences


def _weak(record: SkillRecord) -> list[str]:
    per_label = part(record.evaluated, "per_label")
    weak = []
    for label in record.answer_labels:
        recall = estimate(part(per_label, label), "recall").value
        if recall is not None and recall < 0.75:
            weak.append((recall, label))
    if not weak:
        return []
    names = joined((f"{quoted(label)} ({percent(recall)})" for recall, label in sorted(weak)), most=_NAMES)
    return [f"It misses more than a quarter of the photos of {names}; the share that it finds is in brackets."]


def _wide(record: SkillRecord) -> list[str]:
    per_label = part(record.evaluated, "per_label")
    wide = []
    for label in record.answer_labels:
        recall = estimate(part(per_label, label), "recall")
        if recall.width is not None and recall.width > ROUGH_WIDTH:
            wide.append((-recall.width, f"{quoted(label)} ({interval(recall.low, recall.high)})"))
    if not wide:
        return []
    names = joined((text for _, text in sorted(wide)), most=_NAMES)
    return [f"Its recall for these labels is only roughly known, because few test photos show them: {names}."]


def _one_origin(record: SkillRecord) -> list[str]:
    names = {source.source for source in record.facts.sources}
    if len(names) == 1:
        name = quoted(next(iter(names)))
        return [f"All photos come from one source, {name}. Its quality on photos from elsewhere is not known."]
    single = [quoted(label) for label, sources in record.facts.label_sources.items() if len(sources) == 1]
    if not single or not names:
        return []
    text = f"All photos of {joined(single, most=_NAMES)} come from a single source each."
    return [f"{text} The skill may have learnt the look of the source instead of the label."]


def _small_test(record: SkillRecord) -> list[str]:
    sets = number(record.evaluated, "sets")
    if sets is None or sets >= _FEW_TEST_SETS:
        return []
    things = count(round(sets), "separate thing")
    return [f"The test is based on {things}; a few more could change the figures by some percentage points."]


def _never_shown(record: SkillRecord) -> list[str]:
    facts = record.facts
    text = f"It always answers with one of its {count(len(record.labels))} labels"
    sentences = [f"{text}, even to a photo that shows none of them. It was never trained with photos of anything else."]
    if facts.last is not None:
        sentences.append(f"It was never trained or tested with a photo that was taken after {day(facts.last)}.")
    if facts.photos and facts.undated == facts.photos:
        sentences.append(
            "None of its photos has a date, so it is not known whether they cover seasons and years evenly."
        )
    elif facts.photos and facts.undated / facts.photos > _UNDATED_SHARE:
        sentences.append(
            f"{percent(facts.undated / facts.photos)} of its photos have no date, so it is not known whether they "
            "cover seasons and years evenly."
        )
    if facts.shorter_side_px is not None:
        smallest, largest = facts.shorter_side_px
        size = f"{count(smallest)} pixels" if smallest == largest else f"{count(smallest)} to {count(largest)} pixels"
        sentences.append(f"The shorter side of its photos measures {size}; smaller photos were never tested.")
    return sentences


def _probabilities(record: SkillRecord) -> list[str]:
    error = number(record.evaluated, "ece_after")
    if error is None or error <= _MISCALIBRATED:
        return []
    text = f"Its probabilities are off by {100 * error:.1f} percentage points on average."
    return [f"{text} Do not base thresholds on them without checking."]
