"""The document of one skill."""

from components.document.closing_sections import created, glossary, usage, versions
from components.document.conclusions import Status, status
from components.document.content import Document
from components.document.limits import limits
from components.document.phrases import day, titled
from components.document.pictures import Pictures
from components.document.quality_sections import examples, quality
from components.document.run_records import SkillRecord
from components.document.skill_sections import checked, data, in_short, purpose, trained


def skill_document(record: SkillRecord, pictures: Pictures, home: str, example_count: int) -> Document:
    """Return the document of one skill.

    Args:
        record: Record of the skill.
        pictures: Writer of its pictures.
        home: Stem of the fleet's document.
        example_count: Largest number of photos with right answers, and of photos with wrong answers.
    """
    sections = [in_short(record), purpose(record), data(record), checked(record)]
    if status(record) is not Status.DROPPED:
        sections += [trained(record), quality(record, pictures), examples(record, pictures, example_count)]
        sections += [limits(record), usage(record.fleet, record)]
    sections += [versions(record), glossary()]
    when = created(record.results)
    fleet = record.fleet.fleet.name
    return Document(
        stem=record.name,
        kicker=f"Skill of the fleet {fleet}",
        title=titled(record.name),
        subtitle=record.question,
        date=day(when),
        timestamp_s=int(when.timestamp()) if when else 0,
        sections=tuple(section for section in sections if section.blocks),
        home=home,
        footer=f"{fleet} · {record.name} · {day(when)}",
    )
