"""Last sections of a document: an example request, versions and a glossary."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from coachworks import __version__
from coachworks.result import Result
from components.document.content import Code, Column, Fact, Facts, Paragraph, Row, Section, Table, Text
from components.document.phrases import NOT_MEASURED, day, decimal, duration, moment
from components.document.run_records import FleetRecord, SkillRecord, number, part, words

PORT = 3000  # default port of `coachworks serve`
_DIGITS = 16  # digits of a digest that are shown; enough to be unique
_NOTHING = frozenset({"none", NOT_MEASURED, f"{NOT_MEASURED}, {NOT_MEASURED}"})
_GLOSSARY: Mapping[str, str] = {
    "balanced accuracy": "the share of right answers, computed per label and then averaged, so that a rare label "
    "counts as much as a frequent one. Guessing gives 1 divided by the number of labels.",
    "interval": "the range that contains the true figure with the stated confidence (95\u00a0%: 95 times in 100). "
    "It is computed by resampling the tested things many times (bootstrap). Few photos give a wide interval.",
    "macro F1": "one figure per label that is high only if both recall and precision are high, averaged over the "
    "labels.",
    "gate": "a condition in the fleet file that a skill must meet before it may be used.",
    "calibration": "a correction that makes the stated probabilities agree with the share of right answers.",
    "separate thing (set)": "all photos of one and the same object, such as one car.",
    "digest": "a fingerprint of a file or of data: if anything changes, so does the digest.",
}


def versions(record: SkillRecord) -> Section:
    """Return the section with the versions of model, data and code that the document describes."""
    registered, packaged = record.registered, record.packaged
    embedded, augmented = record.fleet.report("embed"), record.fleet.report("augment")
    when = created(record.results)
    rows = [
        Fact("Date", day(when) if when else NOT_MEASURED),
        Fact("Version of this run", words(registered, "version") or "none"),
        Fact("Packaged version", words(packaged, "version") or "none"),
        Fact("Kind of model", words(packaged, "kind") or words(record.trained, "winner") or NOT_MEASURED),
        Fact("Tested head, digest", _short(words(record.evaluated, "head_digest")), code=True),
        Fact("Packaged head, digest", _short(words(packaged, "head_digest")), code=True),
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
    if not record.evaluated.get("winner"):  # nothing was trained: omit the missing values
        rows = [row for row in rows if row.value not in _NOTHING]
    return Section("versions", "Versions", (Facts(tuple(rows)),))


def fleet_versions(record: FleetRecord) -> Section:
    """Return the section with the results that the fleet's document is based on."""
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
    columns = (
        Column("Step"),
        Column("Result", share=1.5),
        Column("Created", share=1.8),
        Column("Duration", "right", 0.6),
    )
    packaged = record.report("package")
    facts = Facts(
        (
            Fact("Bento", _bento(packaged) or "none", code=True),
            Fact("Backbone, digest", _short(words(record.report("embed"), "backbone_digest")), code=True),
            Fact("Code", f"coachworks {__version__}"),
        )
    )
    return Section("versions", "Versions", (facts, Table(columns, tuple(rows), "Results that all skills share")))


def usage(fleet: FleetRecord, skill: SkillRecord | None) -> Section:
    """Return the section with an example request."""
    if skill is not None and not skill.packaged:
        text = "No version of this skill is packaged, so it cannot be used yet. The request will be:"
    elif not part(fleet.report("package"), "skills"):
        text = "No skill is packaged yet. The request will be:"
    else:
        text = (
            "The command ‘coachworks serve’ starts the service on this machine; elsewhere, replace localhost by the "
            "service's address. The answer is JSON: label, probability, second label and version of the model."
        )
    query = f"?skills={skill.name}" if skill else ""
    code = Code(
        (
            "curl --data-binary @photo.jpg \\",
            "  --header 'Content-Type: image/jpeg' \\",
            f"  'http://localhost:{PORT}/v1/predict{query}'",
        )
    )
    return Section("usage", "How to use it", (Paragraph(text), code))


def glossary(*names: str) -> Section:
    """Return the section that explains the terms in `names`, or all."""
    chosen = names or tuple(_GLOSSARY)
    return Section("words", "Terms", (Facts(tuple(Fact(name, _GLOSSARY[name]) for name in chosen)),))


def created(results: Mapping[str, Result[Any]]) -> datetime | None:
    """Return the creation time of the latest result that a document is based on."""
    for step in ("evaluate", "package", "train", "validate", "split", "ingest"):
        if step in results:
            when = moment(results[step].created_at)
            if when:
                return when
    return None


def _bento(packaged: Mapping[str, object]) -> str:
    bento = packaged.get("bento")
    return str(bento.get("tag", "")) if isinstance(bento, Mapping) else str(bento or "")


def _key(results: Mapping[str, Result[Any]], step: str) -> str:
    return results[step].key if step in results else ""


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGITS] or "none"
