"""Document of the whole fleet."""

from collections import Counter
from collections.abc import Mapping, Sequence

from coachworks.wording import joined, noun_for
from components.document.closing_sections import created, fleet_versions, glossary, usage
from components.document.conclusions import TONES, Status, accuracy_bar, deployed_versions, next_step, reason, status
from components.document.content import Block, Column, Conclusion, Document, Paragraph, Row, Section, Table, Text
from components.document.phrases import NOT_MEASURED, between, count, day, duration, size, titled
from components.document.pictures import Pictures
from components.document.run_records import FleetRecord, SkillRecord, number, parts, whole, words
from components.document.skill_sections import dates, findings_table, source_table

_REASONS = {
    "duplicate": "the same photo twice",
    "empty": "empty file",
    "not-a-photo": "not a photo",
    "unsupported-format": "a format that is not supported",
    "truncated": "damaged file",
    "too-many-pixels": "too many pixels",
    "too-large": "too large a file",
    "too-costly": "takes too long or too much memory to decode",
}


def fleet_document(record: FleetRecord, skills: Sequence[SkillRecord], pictures: Pictures, stem: str) -> Document:
    """Return the document of the fleet.

    Args:
        record: Record of the fleet.
        skills: Records of its skills.
        pictures: Writer of its pictures.
        stem: Name of its files, without the extension.
    """
    sections = [
        Section("in-short", "In short", (fleet_conclusion(record, skills),)),
        Section("skills", "The skills", (skill_table(skills),)),
        _attention(skills),
        _data(record),
        _checked(record),
        _trained(record, pictures),
        usage(record, None, skills),
        fleet_versions(record),
        glossary(
            "balanced accuracy",
            "interval",
            "gate",
            "champion",
            "packaged",
            "deployed",
            "separate thing (set)",
            "digest",
        ),
    ]
    when = created(record.results)
    return Document(
        stem=stem,
        kicker="Fleet of image classifiers",
        title=titled(record.fleet.name),
        subtitle=f"{count(len(skills), 'skill')} on one shared network",
        date=day(when),
        timestamp_s=int(when.timestamp()) if when else 0,
        sections=tuple(section for section in sections if section.blocks),
        footer=f"{record.fleet.name} · {day(when)}",
    )


def fleet_conclusion(record: FleetRecord, skills: Sequence[SkillRecord]) -> Conclusion:
    """Return the number of skills that are packaged, the outcome of this run, and its range of quality."""
    tally, total = Counter(status(skill) for skill in skills), len(skills)
    packaged = sum(bool(skill.packaged) for skill in skills)
    title = f"{packaged} of {total} skills {noun_for(packaged, 'is', 'are')} packaged"
    if packaged == total:
        title = noun_for(total, "The skill is packaged", f"All {total} skills are packaged")
    attention = sum(n for state, n in tally.items() if state not in {Status.READY, Status.CHALLENGER})
    tone = "bad" if not packaged else "warn" if attention or packaged < total else "good"
    text = f"Outcome of this run: {_outcomes(tally)}. {_deployed_skills(record, skills)} "
    values = [bar.value for bar in map(accuracy_bar, skills) if bar.value is not None]
    if values:
        lies = between(min(values), max(values)).removeprefix("at ")
        text += f"On test photos that were not used for training, the balanced accuracy of this run is {lies}. "
    photos, sets = count(record.facts.photos, "photo"), count(record.facts.sets, "separate thing")
    text += f"The skills are based on {photos} of {sets}."
    return Conclusion(title, text, tone)


def _outcomes(tally: Mapping[Status, int]) -> str:
    phrases = {
        Status.READY: noun_for(tally[Status.READY], "champion"),
        Status.CHALLENGER: f"{noun_for(tally[Status.CHALLENGER], 'challenger')} (the champion stays)",
        Status.NOT_PACKAGED: "good enough but not packaged",
        Status.FAILED: "not good enough yet",
        Status.DROPPED: "left out",
        Status.UNKNOWN: "not measured",
    }
    return joined(f"{tally[state]} {phrase}" for state, phrase in phrases.items() if tally[state])


def _deployed_skills(record: FleetRecord, skills: Sequence[SkillRecord]) -> str:
    if not record.deployments.known:
        return "What is deployed is not known: the registry could not be read."
    deployed = [skill for skill in skills if skill.deployed]
    if not deployed:
        return "When this document was written, MLflow recorded no deployment."
    places = dict.fromkeys(f"{each.release} ({each.namespace})" for skill in deployed for each in skill.deployed)
    return (
        f"When this document was written, MLflow recorded {count(len(deployed), 'skill')} as deployed, in the "
        f"{noun_for(len(places), 'release')} {joined(places, most=4)}."
    )


def skill_table(skills: Sequence[SkillRecord]) -> Table:
    """Return the table of all skills with status and balanced accuracy."""
    rows = []
    for skill in skills:
        bar = accuracy_bar(skill)
        state = status(skill)
        rows.append(
            Row(
                (
                    Text(skill.name, document=skill.name),
                    Text(state, TONES[state]),
                    Text(skill.version or "–"),
                    Text(bar.text, "" if bar.value is not None else "muted"),
                    bar,
                    Text(count(whole(skill.evaluated, "photos")) if bar.value is not None else "–"),
                    Text(skill.packaged_version or "–"),
                    Text(deployed_versions(skill)),
                )
            )
        )
    columns = (
        Column("Skill", share=1.7),
        Column("Status", share=1.3),
        Column("Version", "right", 0.8),
        Column("Balanced accuracy", share=1.7),
        Column("", "bar", 1.1),
        Column("Test photos", "right", 0.7),
        Column("Packaged", "right", 0.9),
        Column("Deployed", "right", 0.9),
    )
    caption = (
        "Version of this run, its balanced accuracy with the interval, and the number of test photos; then the version "
        "that is packaged, and the one that MLflow recorded as deployed when this document was written. The thin line "
        "is the gate"
    )
    return Table(columns, tuple(rows), caption)


def _attention(skills: Sequence[SkillRecord]) -> Section:
    rows = tuple(
        Row(
            (
                Text(skill.name, document=skill.name),
                Text(reason(skill) or accuracy_bar(skill).text),
                Text(next_step(skill)),
            )
        )
        for skill in skills
        if status(skill) is not Status.READY
    )
    if not rows:
        return Section("next", "What to do next", ())
    columns = (Column("Skill"), Column("Why", share=2), Column("What to do next", share=2))
    return Section("next", "What to do next", (Table(columns, rows),))


def _data(record: FleetRecord) -> Section:
    facts = record.facts
    if not facts.photos:
        return Section("data", "The photos", (Paragraph("There is no record of the catalogue of photos."),))
    blocks: list[Block] = [source_table(facts), Paragraph(dates(facts), lead="Dates.")]
    if record.rejected:
        texts = [f"{_REASONS.get(why, why)} ({count(n)})" for why, n in sorted(record.rejected.items())]
        text = f"{count(sum(record.rejected.values()), 'file')} could not be used: {joined(texts)}."
        blocks.append(Paragraph(text, lead="Rejected."))
    return Section("data", "The photos", tuple(blocks))


def _checked(record: FleetRecord) -> Section:
    report = record.report("validate")
    if not report:
        return Section("checked", "What was checked", (Paragraph("This run has no record of the data checks."),))
    findings = tuple(f for f in parts(report, "findings") if not f.get("skill"))
    blocks: list[Block] = [
        Paragraph(
            f"{count(whole(report, 'photos'), 'photo')} went through the data checks. Findings about a single skill "
            "are in the document of that skill."
        )
    ]
    blocks.append(findings_table(findings) if findings else Paragraph("There are no findings that concern all skills."))
    return Section("checked", "What was checked", tuple(blocks))


def _trained(record: FleetRecord, pictures: Pictures) -> Section:
    embedded, augmented = record.report("embed"), record.report("augment")
    views = whole(augmented, "views")
    text = (
        f"One pre-trained network ({words(embedded, 'backbone') or NOT_MEASURED}) processes every photo once and "
        f"describes it with {count(whole(embedded, 'dimensions'), 'number')}; each skill learns its labels from these. "
    )
    if number(embedded, "computed") is not None:
        text += (
            f"{count(whole(embedded, 'computed'))} descriptions were computed in "
            f"{duration(number(embedded, 'seconds'))}, and "
            f"{count(whole(embedded, 'reused'))} reused from earlier runs. "
        )
    if views:
        text += f"Each training photo was also used in {count(views, 'altered version')}."
    sheet = record.results["augment"].path / "contact-sheet.jpg" if "augment" in record.results else None
    picture = None
    if sheet is not None and sheet.is_file():
        picture = pictures.chart(
            sheet, "contact-sheet", "Some training photos and their altered versions", 0.6, tallest=1.25
        )
    packaged = Paragraph(f"The size of the package is {size(number(record.report('package'), 'bytes'))}.")
    return Section(
        "trained", "How the skills were trained", (Paragraph(text.strip()), *([picture] if picture else []), packaged)
    )
