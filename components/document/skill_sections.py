"""First sections of a skill's document: summary, purpose, data, checks and training."""

from collections.abc import Mapping
from typing import Any

from coachworks.tables import SPLITS
from coachworks.wording import joined
from components.document.conclusions import Status, conclusion, failed_findings, key_figures, next_step, reason, status
from components.document.content import Block, Column, Items, Paragraph, Row, Section, Table, Text
from components.document.feature_choice import feature_choice
from components.document.label_balance import label_balance
from components.document.label_noise import label_noise
from components.document.photo_facts import PhotoFacts
from components.document.phrases import (
    NOT_MEASURED,
    count,
    day,
    duration,
    percent,
    quoted,
    sentence,
    titled,
)
from components.document.run_records import SkillRecord, number, part, whole, words

_SEVERITIES = {"failure": ("stops the skill", "bad"), "warning": ("warning", "warn"), "info": ("note", "muted")}
_KINDS = {
    "linear": "Linear head: one weighted sum per label",
    "mlp": "Small neural network",
    "knn": "Nearest neighbours: the labels of the most similar training photos",
    "svm": "Support vector machine: the widest margin between labels",
    "naive-bayes": "Naive Bayes: a simple bell curve per label",
    "fine-tune": "Fine-tuned: the last blocks of the network itself, trained for this skill",
}


def in_short(record: SkillRecord) -> Section:
    """Return the summary section: conclusion, key figures and next step."""
    blocks: list[Block] = [conclusion(record)]
    figures = key_figures(record)
    if figures:
        blocks.append(figures)
    if status(record) is Status.FAILED and reason(record) and reason(record) not in conclusion(record).text:
        blocks.append(Paragraph(reason(record), lead="Reason."))
    following = next_step(record)
    if following:
        blocks.append(Paragraph(following, lead="What to do next."))
    return Section("in-short", "In short", tuple(blocks))


def purpose(record: SkillRecord) -> Section:
    """Return the section on the purpose of the skill."""
    question = (
        record.question or f"Which of its labels fits the photo? (The fleet file has no question for {record.name}.)"
    )
    blocks: list[Block] = [
        Paragraph(f"{question} The skill answers with exactly one of {count(len(record.labels), 'label')}."),
        Items(record.labels) if len(record.labels) <= 12 else Paragraph(joined(record.labels)),
    ]
    if record.unsure:
        blocks.append(Paragraph(f"Annotators may answer {quoted(record.unsure)}; the skill never does."))
    if record.similar:
        groups = [" / ".join(quoted(label) for label in group) for group in record.similar]
        blocks.append(
            Paragraph(f"Confusing {joined(groups)} is a sensible mistake: it is easier to accept than others.")
        )
    tier = (
        "Critical. Every warning stops it, and none of its gates may be weaker than those of the fleet."
        if record.tier == "critical"
        else "Standard. Warnings are reported but do not stop it."
    )
    blocks.append(Paragraph(tier, lead="Tier."))
    return Section("purpose", "What it is for", tuple(blocks))


def data(record: SkillRecord) -> Section:
    """Return the section on the photos of the skill."""
    facts = record.facts
    if not facts.photos:
        return Section("data", "The photos", (Paragraph("There is no record of labelled photos for this skill."),))
    blocks: list[Block] = [
        Paragraph(
            f"{count(facts.photos, 'photo')} have a label. They show {count(facts.sets, 'separate thing')} "
            "(such as one car, or one listing). Photos of the same thing are never divided between training and "
            "testing."
        ),
        _counts(facts, record.labels),
        Paragraph(
            "Training photos train the skill. Validation photos are used to choose between candidates"
            f"{', then to train the chosen one as well' if record.trained.get('refitted') else ''}. Test photos are "
            "used only to measure."
        ),
    ]
    if facts.unlabelled:
        blocks.append(
            Paragraph(
                f"{count(facts.unlabelled, 'further photo')} had unsure or contradicting answers and were not used."
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
    return Table(columns, tuple(rows), "Photos per label and split")


def source_table(facts: PhotoFacts) -> Table:
    """Return the table of sources, permissions and dates."""
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
    """Return a sentence on the dates of the photos."""
    if facts.first is None:
        return "None of the photos has a date."
    first, last = day(facts.first), day(facts.last)
    text = f"The photos were taken {f'on {first}' if first == last else f'between {first} and {last}'}."
    if facts.undated:
        text += f" {count(facts.undated, 'photo')} of {count(facts.photos)} have no date."
    return text


def checked(record: SkillRecord) -> Section:
    """Return the section on the data checks and their findings."""
    passed = record.validated.get("passed")
    if passed is None:
        return Section("checked", "What was checked", (Paragraph("This run has no record of the data checks."),))
    failures = failed_findings(record)
    if passed:
        text = "The data passed. "
    else:
        text = f"The data did not pass: {count(len(failures), 'finding')} must be resolved before training. "
    text += (
        "The checks cover the records of the photos, the spelling of the labels, the number of photos per label, "
        "sharpness, brightness and size, duplicates, contradicting labels, and test photos that resemble training "
        "photos."
    )
    blocks: list[Block] = [Paragraph(text)]
    blocks.append(findings_table(record.findings) if record.findings else Paragraph("There are no findings."))
    noise = label_noise(record)
    if noise:
        blocks.append(noise)
    return Section("checked", "What was checked", tuple(blocks))


def findings_table(findings: tuple[Mapping[str, Any], ...]) -> Table:
    """Return the table of the findings, the worst first."""
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
    columns = (Column("Severity", share=0.8), Column("Finding", share=2.4), Column("Way out", share=2))
    return Table(columns, tuple(rows), f"Findings{more}")


def trained(record: SkillRecord) -> Section:
    """Return the section on training, the candidates and the choice."""
    if words(record.trained, "status") != "trained":
        why = sentence(words(record.trained, "reason")) or "See above for the reason."
        return Section("trained", "How it was trained", (Paragraph(f"It was not trained in this run. {why}"),))
    embedded, augmented = record.fleet.report("embed"), record.fleet.report("augment")
    views = whole(augmented, "views")
    network = words(embedded, "backbone") or NOT_MEASURED
    text = (
        f"A network that was trained on millions of everyday photos ({network}) describes "
        f"every photo with {count(whole(embedded, 'dimensions'), 'number')}. The skill learns only the last "
        "step: from these numbers to a label. All skills share the network."
    )
    blocks: list[Block] = [Paragraph(text)]
    if views:
        transforms = augmented.get("transforms")
        names = f" ({joined(map(str, transforms), most=8)})" if isinstance(transforms, list) and transforms else ""
        blocks.append(
            Paragraph(
                f"Each training photo was also used in {count(views, 'altered version')}{names}, so that the skill "
                "does not depend on light, angle or framing. Test photos were never altered."
            )
        )
    features = feature_choice(record)
    if features:
        blocks.append(features)
    candidates = part(record.trained, "candidates")
    if candidates:
        blocks += [_candidates(record, candidates), Paragraph(_choice(record), lead="Choice.")]
    balance = label_balance(record)
    if balance:
        blocks.append(balance)
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
    rule = "Of all candidates within one standard error of the best, the simplest is chosen."
    why = sentence(words(record.trained, "why"))
    return f"{rule} {why}".strip()
