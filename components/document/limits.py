"""What a skill cannot do, or has never been shown: read off the data and the measurements."""

from coachworks.fleet.model import RULE_OF_THUMB_PHOTOS_PER_LABEL
from components.document.conclusions import ROUGH_WIDTH
from components.document.content import Items, Paragraph, Section
from components.document.phrases import count, day, interval, listed, percent, quoted
from components.document.run_records import SkillRecord, estimate, number, part

_FEW_TEST_SETS = 100  # below, one set more or less moves the figures visibly
_UNDATED_SHARE = 0.2
_MISCALIBRATED = 0.05
_NAMES = 6


def limits(record: SkillRecord) -> Section:
    """The section on limits."""
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
        Paragraph("Read from the data and the measurements of this run. Keep them in mind where the skill is used."),
        Items(tuple(sentences)),
    )
    return Section("limits", "Limits", blocks)


def _few_photos(record: SkillRecord) -> list[str]:
    totals = {label: record.facts.label_total(label) for label in record.labels}
    few = sorted((n, label) for label, n in totals.items() if 0 < n < RULE_OF_THUMB_PHOTOS_PER_LABEL)
    none = [quoted(label) for label, n in totals.items() if n == 0]
    found = []
    if none:
        found.append(
            f"No photo shows {listed(none, most=_NAMES)}: the skill cannot know {'it' if len(none) == 1 else 'them'}."
        )
    if few:
        names = listed((f"{quoted(label)} ({count(n)})" for n, label in few), most=_NAMES)
        found.append(
            f"{count(len(few), 'label has', 'labels have')} fewer photos than the rule of thumb of "
            f"{count(RULE_OF_THUMB_PHOTOS_PER_LABEL)}: {names}. What is rare in the data is learnt less surely."
        )
    return found


def _weak(record: SkillRecord) -> list[str]:
    per_label = part(record.evaluated, "per_label")
    weak = []
    for label in record.answer_labels:
        recall = estimate(part(per_label, label), "recall").value
        if recall is not None and recall < 0.75:
            weak.append((recall, label))
    if not weak:
        return []
    names = listed((f"{quoted(label)} ({percent(recall)})" for recall, label in sorted(weak)), most=_NAMES)
    return [f"It misses more than a quarter of the photos of {names}; the share it finds stands in brackets."]


def _wide(record: SkillRecord) -> list[str]:
    per_label = part(record.evaluated, "per_label")
    wide = []
    for label in record.answer_labels:
        recall = estimate(part(per_label, label), "recall")
        if recall.width is not None and recall.width > ROUGH_WIDTH:
            wide.append((-recall.width, f"{quoted(label)} ({interval(recall.low, recall.high)})"))
    if not wide:
        return []
    names = listed((text for _, text in sorted(wide)), most=_NAMES)
    return [f"How well it finds these labels is only roughly known, because few test photos show them: {names}."]


def _one_origin(record: SkillRecord) -> list[str]:
    sources = {source.source for source in record.facts.sources}
    if len(sources) == 1:
        name = quoted(next(iter(sources)))
        return [f"All photos come from one source, {name}. How it does on photos from elsewhere is not known."]
    single = [quoted(label) for label, found in record.facts.label_sources.items() if len(found) == 1]
    if not single or len(sources) == 0:
        return []
    text = f"All photos of {listed(single, most=_NAMES)} come from a single source each."
    return [f"{text} The skill may have learnt the look of the source instead of the label."]


def _small_test(record: SkillRecord) -> list[str]:
    sets = number(record.evaluated, "sets")
    if sets is None or sets >= _FEW_TEST_SETS:
        return []
    things = count(round(sets), "separate thing")
    return [f"The test rests on {things}; a few more could move the figures by some percentage points."]


def _never_shown(record: SkillRecord) -> list[str]:
    facts = record.facts
    text = f"It always gives one of its {count(len(record.labels))} labels, even to a photo that shows none of them."
    found = [f"{text} It was never shown a photo of anything else."]
    if facts.last is not None:
        found.append(f"It was never shown a photo that was taken after {day(facts.last)}.")
    if facts.photos and facts.undated == facts.photos:
        found.append("None of its photos carries a date, so whether seasons and years are covered evenly is not known.")
    elif facts.photos and facts.undated / facts.photos > _UNDATED_SHARE:
        found.append(
            f"{percent(facts.undated / facts.photos)} of its photos carry no date, so whether seasons and years are "
            "covered evenly is not known."
        )
    if facts.shorter_side_px is not None:
        smallest, largest = facts.shorter_side_px
        size = f"{count(smallest)} pixels" if smallest == largest else f"{count(smallest)} to {count(largest)} pixels"
        found.append(f"The shorter side of its photos measures {size}; smaller photos were never tried.")
    return found


def _probabilities(record: SkillRecord) -> list[str]:
    error = number(record.evaluated, "ece_after")
    if error is None or error <= _MISCALIBRATED:
        return []
    text = f"Its probabilities are off by {100 * error:.1f} percentage points on average."
    return [f"{text} Do not set thresholds on them blindly."]
