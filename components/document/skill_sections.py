"""A skill's page, first half: what it is for, its data, what was checked, how it was trained."""

from collections.abc import Mapping
from typing import Any

from coachworks.tables import SPLITS
from components.document.conclusions import Status, failed_findings, key_figures, next_step, reason, status, verdict
from components.document.content import Block, Column, Items, Paragraph, Row, Section, Table, Text
from components.document.photo_facts import PhotoFacts
from components.document.phrases import (
    NOT_MEASURED,
    count,
    day,
    duration,
    listed,
    percent,
    quoted,
    sentence,
    titled,
)
from components.document.run_records import SkillRecord, number, part, whole, words

_SEVERITIES = {"failure": ("stops the skill", "bad"), "warning": ("warning", "warn"), "info": ("note", "muted")}
_UNEVEN = 1.5  # times as many photos: what a reader would notice
_KINDS = {
    "linear": "Linear head: one weighted sum per label",
    "mlp": "Small neural network",
    "knn": "Nearest neighbours: the labels of the most similar training photos",
    "svm": "Support vector machine: the widest margin between labels",
    "naive-bayes": "Naive Bayes: a simple bell curve per label",
}


def in_short(record: SkillRecord) -> Section:
    """The answer first."""
    blocks: list[Block] = [verdict(record)]
    figures = key_figures(record)
    if figures:
        blocks.append(figures)
    if status(record) is Status.FAILED and reason(record) and reason(record) not in verdict(record).text:
        blocks.append(Paragraph(reason(record), lead="Why, as the evaluation puts it."))
    following = next_step(record)
    if following:
        blocks.append(Paragraph(following, lead="What to do next."))
    return Section("in-short", "In short", tuple(blocks))


def purpose(record: SkillRecord) -> Section:
    """What the skill answers."""
    question = (
        record.question or f"Which of its labels fits the photo? (The fleet file gives no question for {record.name}.)"
    )
    blocks: list[Block] = [
        Paragraph(f"{question} The skill answers with exactly one of {count(len(record.labels), 'label')}."),
        Items(record.labels) if len(record.labels) <= 12 else Paragraph(listed(record.labels)),
    ]
    if record.unsure:
        blocks.append(
            Paragraph(f"People who label photos may answer {quoted(record.unsure)}. The skill itself never does.")
        )
    if record.similar:
        groups = [" / ".join(quoted(label) for label in group) for group in record.similar]
        blocks.append(
            Paragraph(f"Confusing {listed(groups)} is a sensible mistake: the client accepts it more readily.")
        )
    tier = (
        "Critical. Every warning about it stops it, and no gate may be weaker than the fleet's own."
        if record.tier == "critical"
        else "Standard. Warnings are reported, and do not stop it."
    )
    blocks.append(Paragraph(tier, lead="Tier."))
    return Section("purpose", "What it is for", tuple(blocks))


def data(record: SkillRecord) -> Section:
    """The photos behind the skill."""
    facts = record.facts
    if not facts.photos:
        return Section("data", "The photos", (Paragraph("No labelled photo of this skill is on record."),))
    blocks: list[Block] = [
        Paragraph(
            f"{count(facts.photos, 'photo')} carry a label. They show {count(facts.sets, 'separate thing')} "
            "(such as one car, or one listing). Photos of the same thing always stay together: either all are used "
            "for training, or all for testing."
        ),
        _counts(facts, record.labels),
        Paragraph(
            "Training photos teach the skill. Validation photos choose between candidates"
            f"{', and then teach the one chosen, too' if record.trained.get('refitted') else ''}. Test photos are kept "
            "apart, and are only used to measure."
        ),
    ]
    if facts.unlabelled:
        blocks.append(
            Paragraph(
                f"{count(facts.unlabelled, 'further photo')} had unsure or contradicting answers, and were not used."
            )
        )
    blocks += [source_table(facts), Paragraph(dates(facts), lead="Dates.")]
    return Section("data", "The photos", tuple(blocks))


def _counts(facts: PhotoFacts, labels: tuple[str, ...]) -> Table:
    columns = (Column("Label", share=2.4), *(Column(s, "right") for s in ("Training", "Validation", "Test", "All")))
    rows = [
        Row((Text(label), *(Text(count(facts.counts.get(label, {}).get(s, 0))) for s in SPLITS),
             Text(count(facts.label_total(label)))))
        for label in labels
    ]  # fmt: skip
    totals = [facts.split_photos.get(s, 0) for s in SPLITS]
    rows.append(Row((Text("All labels"), *(Text(count(n)) for n in totals), Text(count(facts.photos))), strong=True))
    sets = [facts.split_sets.get(s, 0) for s in SPLITS]
    rows.append(Row((Text("Separate things", "muted"), *(Text(count(n), "muted") for n in (*sets, facts.sets)))))
    return Table(columns, tuple(rows), "Photos per label, and what they are used for")


def source_table(facts: PhotoFacts) -> Table:
    """Where photos come from."""
    dated = facts.first is not None
    columns = [Column("Source", share=1.5), Column("Permission", share=2), Column("Photos", "right", 0.8)]
    if dated:
        columns += [Column("Taken from", "right", 1.4), Column("to", "right", 1.4)]
    rows = []
    for source in facts.sources:
        permission = Text(source.permission) if source.permission else Text("not recorded", "warn")
        cells = [Text(source.source), permission, Text(count(source.photos))]
        if dated:
            cells += [Text(day(source.first)), Text(day(source.last))]
        rows.append(Row(tuple(cells)))
    return Table(tuple(columns), tuple(rows), "Sources and permissions")


def dates(facts: PhotoFacts) -> str:
    """From when to when photos were taken."""
    if facts.first is None:
        return "None of the photos says when it was taken."
    text = f"The photos were taken between {day(facts.first)} and {day(facts.last)}."
    if facts.undated:
        text += f" {count(facts.undated, 'photo')} of {count(facts.photos)} do not say when."
    return text


def checked(record: SkillRecord) -> Section:
    """What validation looked at and found."""
    passed = record.validated.get("passed")
    if passed is None:
        return Section("checked", "What was checked", (Paragraph("The data checks of this run are not on record."),))
    failures = failed_findings(record)
    if passed:
        text = "The data passed. "
    else:
        text = f"The data did not pass: {count(len(failures), 'finding')} must be settled before training. "
    text += (
        "Checked were the records of the photos, the spelling of the labels, the number of photos per label, "
        "sharpness, brightness and size, photos that appear twice, contradicting labels, and test photos that resemble "
        "training photos."
    )
    blocks: list[Block] = [Paragraph(text)]
    blocks.append(findings_table(record.findings) if record.findings else Paragraph("Nothing was found."))
    return Section("checked", "What was checked", tuple(blocks))


def findings_table(findings: tuple[Mapping[str, Any], ...]) -> Table:
    """What validation found, the gravest first."""
    order = list(_SEVERITIES)
    ranked = sorted(
        findings, key=lambda f: order.index(words(f, "severity")) if words(f, "severity") in order else len(order)
    )
    rows = []
    for finding in ranked[:30]:
        name, tone = _SEVERITIES.get(words(finding, "severity"), (words(finding, "severity"), "muted"))
        message = sentence(words(finding, "message")) or words(finding, "check")
        way_out = sentence(words(finding, "way_out"))
        rows.append(Row((Text(name, tone), Text(message), Text(way_out or "–", "muted"))))
    more = f" (the first 30 of {len(findings)})" if len(findings) > 30 else ""
    columns = (Column("Weight", share=0.8), Column("Finding", share=2.4), Column("Way out", share=2))
    return Table(columns, tuple(rows), f"Findings{more}")


def trained(record: SkillRecord) -> Section:
    """How the skill was trained, and what it was chosen from."""
    if words(record.trained, "status") != "trained":
        why = sentence(words(record.trained, "reason")) or "See above for the reason."
        return Section("trained", "How it was trained", (Paragraph(f"It was not trained in this run. {why}"),))
    embedded, augmented = record.fleet.report("embed"), record.fleet.report("augment")
    views = whole(augmented, "views")
    text = (
        f"A ready-made network ({words(embedded, 'backbone') or NOT_MEASURED}, trained on millions of everyday photos) "
        f"describes every photo with {count(whole(embedded, 'dimensions'), 'number')}. The skill learns only the last "
        "step: from these numbers to a label. All skills share the network."
    )
    blocks: list[Block] = [Paragraph(text)]
    if views:
        transforms = augmented.get("transforms")
        names = f" ({listed(map(str, transforms), most=8)})" if isinstance(transforms, list) and transforms else ""
        blocks.append(
            Paragraph(
                f"Each training photo was also shown in {count(views, 'altered version')}{names}, so that the skill "
                "does not depend on light, angle or framing. Test photos were never altered."
            )
        )
    candidates = part(record.trained, "candidates")
    if candidates:
        blocks += [_candidates(record, candidates), Paragraph(_choice(record), lead="The choice.")]
    weights = _weights(record)
    if weights:
        blocks.append(Paragraph(weights, lead="Uneven labels."))
    return Section("trained", "How it was trained", tuple(blocks))


def _candidates(record: SkillRecord, candidates: Mapping[str, Any]) -> Table:
    winner = words(record.trained, "winner")
    columns = (
        Column("Candidate", share=3),
        Column("On validation photos", "right", 1.5),
        Column("Uncertainty", "right"),
        Column("Simplicity", "right", 0.8),
        Column("Time", "right", 0.7),
    )
    scored = sorted(
        candidates, key=lambda name: (-(number(part(candidates, name), "validation_balanced_accuracy") or 0), name)
    )
    ranks = sorted({number(part(candidates, n), "complexity") or 0 for n in candidates})
    rows = []
    for name in scored:
        own = part(candidates, name)
        error = number(own, "standard_error")
        complexity = number(own, "complexity")
        text = _KINDS.get(name, titled(name)) + (" — chosen" if name == winner else "")
        rows.append(
            Row(
                (
                    Text(text, "good" if name == winner else ""),
                    Text(percent(number(own, "validation_balanced_accuracy"), digits=1)),
                    Text("–" if error is None else f"± {100 * error:.1f}"),
                    Text("–" if complexity is None else f"{ranks.index(complexity) + 1}"),
                    Text(duration(number(own, "seconds"))),
                ),
                strong=name == winner,
            )
        )
    caption = (
        "Candidates by balanced accuracy on the validation photos (uncertainty: one standard error, in percentage "
        "points; simplicity: 1 is the simplest)"
    )
    return Table(columns, tuple(rows), caption)


def _choice(record: SkillRecord) -> str:
    rule = "Of all candidates within one standard error of the best, the simplest is taken."
    why = sentence(words(record.trained, "why"))
    return f"{rule} {why}".strip()


def _weights(record: SkillRecord) -> str:
    splits = ("train", "validation") if record.trained.get("refitted") else ("train",)
    counts = {label: sum(record.facts.counts.get(label, {}).get(s, 0) for s in splits) for label in record.labels}
    present = {label: n for label, n in counts.items() if n}
    if not present:
        return ""
    rare, common = min(present, key=lambda k: present[k]), max(present, key=lambda k: present[k])
    ratio = present[common] / present[rare]
    if ratio < _UNEVEN:
        return "All labels have about as many photos to learn from."
    text = f"{quoted(common)} has {ratio:.1f} times as many photos to learn from as {quoted(rare)}."
    weights = part(record.trained, "class_weights")
    weight, other = number(weights, rare), number(weights, common)
    if weight is not None and other is not None and other > 0 and weight > other:
        return (
            f"{text} In training, one photo of {quoted(rare)} counts as much as {weight / other:.1f} of "
            f"{quoted(common)}, so that no label is learnt at the cost of another."
        )
    if weights or words(record.results["train"].report if "train" in record.results else {}, "class_weights") == "none":
        return f"{text} Every photo counts alike in training, so frequent labels are favoured."
    return text
