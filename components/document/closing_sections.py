"""The end of a page: versions, how to ask, and the words explained."""

from collections.abc import Mapping
from datetime import datetime

from coachworks import __version__
from coachworks.results import Result
from components.document.content import Code, Column, Fact, Facts, Paragraph, Row, Section, Table, Text
from components.document.phrases import NOT_MEASURED, day, decimal, duration, moment
from components.document.run_records import FleetRecord, SkillRecord, number, part, words

PORT = 3000  # where `coachworks serve` listens
_DIGITS = 16  # of a digest: enough to tell any two apart
_NOTHING = frozenset({"none", NOT_MEASURED, f"{NOT_MEASURED}, {NOT_MEASURED}"})
_GLOSSARY: Mapping[str, str] = {
    "balanced accuracy": "the share of right answers, computed per label and then averaged, so that a rare label "
    "counts as much as a frequent one. Guessing gives 1 divided by the number of labels.",
    "interval": "where the true figure lies, with the certainty given beside it (95\u00a0%: right 95 times in 100). It "
    "is found by drawing the tested things anew, many times (bootstrap). Few photos give a wide interval.",
    "macro F1": "one figure per label that is high only if the label is both found and trusted, averaged over "
    "the labels.",
    "gate": "a condition that the fleet file sets, and that a skill must meet before it may be used.",
    "calibration": "making stated probabilities agree with how often the answers are right.",
    "separate thing (set)": "all photos of one and the same object, such as one car.",
    "digest": "a fingerprint of a file or of data: if anything changes, so does the digest.",
}


def versions(record: SkillRecord) -> Section:
    """What exactly this document speaks of."""
    registered, packaged = record.registered, record.packaged
    embedded, augmented = record.fleet.report("embed"), record.fleet.report("augment")
    when = created(record.results)
    rows = [
        Fact("Date", day(when) if when else NOT_MEASURED),
        Fact("Version of this run", words(registered, "version") or "none"),
        Fact("Version in service", words(packaged, "version") or "none"),
        Fact("Kind of model", words(packaged, "kind") or words(record.trained, "winner") or NOT_MEASURED),
        Fact("Head tested, digest", _short(words(record.evaluated, "head_digest")), code=True),
        Fact("Head in service, digest", _short(words(packaged, "head_digest")), code=True),
        Fact("Backbone", words(embedded, "backbone") or NOT_MEASURED),
        Fact("Backbone, digest", _short(words(embedded, "backbone_digest")), code=True),
        Fact("Augmentation policy, digest", _short(words(augmented, "policy_digest")), code=True),
        Fact("Data (result of split)", _short(_key(record.results, "split")), code=True),
        Fact("Evaluation (result of evaluate)", _short(_key(record.results, "evaluate")), code=True),
        Fact("MLflow run", words(registered, "run_id") or "none", code=True),
        Fact(
            "Log loss, temperature",
            f"{decimal(number(record.evaluated, 'log_loss'))}, {decimal(number(record.evaluated, 'temperature'))}",
        ),
        Fact("Code", f"coachworks {__version__}"),
    ]
    if not record.evaluated.get("winner"):  # nothing was made: only what was read counts
        rows = [row for row in rows if row.value not in _NOTHING]
    return Section("versions", "Versions", (Facts(tuple(rows)),))


def fleet_versions(record: FleetRecord) -> Section:
    """The results that the fleet's document rests on."""
    rows = []
    for step, result in sorted(record.results.items(), key=lambda item: item[1].created_at):
        when = moment(result.created_at)
        rows.append(
            Row(
                (
                    Text(step),
                    Text(_short(result.key)),
                    Text(f"{day(when)}, {when:%H:%M} UTC" if when else NOT_MEASURED),
                    Text(duration(result.duration_s)),
                )
            )
        )
    columns = (Column("Step"), Column("Result", share=1.5), Column("Made", share=1.8), Column("Took", "right", 0.6))
    packaged = record.report("package")
    facts = Facts(
        (
            Fact("Bento", _bento(packaged) or "none", code=True),
            Fact("Backbone, digest", _short(words(record.report("embed"), "backbone_digest")), code=True),
            Fact("Code", f"coachworks {__version__}"),
        )
    )
    return Section("versions", "Versions", (facts, Table(columns, tuple(rows), "The results that all skills share")))


def ask(fleet: FleetRecord, skill: SkillRecord | None) -> Section:
    """How to ask the service."""
    served = list(part(fleet.report("package"), "skills"))
    if skill is not None and not skill.packaged:
        text = "No version of this skill is in service, so it cannot be asked yet. This is how it will be:"
    elif not served:
        text = "No skill is in service yet. This is how to ask once one is:"
    else:
        text = (
            "The command ‘coachworks serve’ starts the service on this machine; elsewhere, put its address in place of "
            "localhost. The answer is JSON: label, probability, the runner-up and the version of the model."
        )
    query = f"?skills={skill.name}" if skill else ""
    code = Code(
        (
            "curl --data-binary @photo.jpg \\",
            "  --header 'Content-Type: image/jpeg' \\",
            f"  'http://localhost:{PORT}/v1/predict{query}'",
        )
    )
    return Section("ask", "How to ask it", (Paragraph(text), code))


def glossary(*names: str) -> Section:
    """Words explained; all of them unless `names` picks."""
    chosen = names or tuple(_GLOSSARY)
    return Section("words", "Words", (Facts(tuple(Fact(name, _GLOSSARY[name]) for name in chosen)),))


def created(results: Mapping[str, Result]) -> datetime | None:
    """When the youngest of the results was made that a document rests on."""
    for step in ("evaluate", "package", "train", "validate", "split", "ingest"):
        if step in results:
            when = moment(results[step].created_at)
            if when:
                return when
    return None


def _bento(packaged: Mapping[str, object]) -> str:
    bento = packaged.get("bento")
    return str(bento.get("tag", "")) if isinstance(bento, Mapping) else str(bento or "")


def _key(results: Mapping[str, Result], step: str) -> str:
    return results[step].key if step in results else ""


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGITS] or "none"
