"""Last sections of a document: an example request, versions and a glossary."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from coachworks import __version__
from coachworks.result import Result
from components.deploy.target.values import PORT as SERVICE_PORT
from components.document.conclusions import place
from components.document.content import Code, Column, Fact, Facts, Paragraph, Row, Section, Table, Text
from components.document.phrases import NOT_MEASURED, day, decimal, duration, moment
from components.document.run_records import FleetRecord, SkillRecord, number, part, words

PORT = 3000  # default port of `coachworks serve`
_FORWARDED = 8080  # port of this machine in the example of a port-forward
_ANSWER = "The answer is JSON: label, probability, second label and version of the model."
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
    "champion": "the best version of a skill so far. A new version becomes the champion only if it is better on the "
    "same test photos with enough certainty; else it is a challenger, and the champion stays.",
    "packaged": "put into the bundle of models from which services are started: always the champion.",
    "deployed": "installed on the cluster, where it answers. That is a step of its own, after packaging.",
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
        Fact("Version of this run", record.version or "none"),
        Fact("Champion", f"version {record.champion}" if record.champion else "none"),
        Fact("Packaged version", record.packaged_version or "none"),
        *(Fact("Deployed version", f"{each.version}, {place(each)}") for each in record.deployed),
        Fact("Kind of model, tested", words(record.trained, "winner") or NOT_MEASURED),
        Fact("Kind of model, packaged", words(packaged, "kind") or "none"),
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
    return Section("versions", "Versions", (Facts(tuple(rows)), _time_of_reading(record.fleet)))


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
    table = Table(columns, tuple(rows), "Results that all skills share")
    return Section("versions", "Versions", (facts, table, _time_of_reading(record)))


def _time_of_reading(fleet: FleetRecord) -> Paragraph:
    """Return when the deployed versions were read. Equal records give equal documents, so no clock is read here."""
    when = moment(fleet.results["package"].created_at)
    after = f" of {day(when)}, {when:%H:%M} UTC" if when else ""
    text = (
        f"What is deployed was read from MLflow when this document was written, after the packaging{after}. Later "
        "deployments are not in it: a pipeline deploys after it has written its documents. ‘coachworks status’ shows "
        "the present state."
    )
    return Paragraph(text, lead="Deployed.")


def usage(fleet: FleetRecord, skill: SkillRecord | None, others: Sequence[SkillRecord] = ()) -> Section:
    """Return the section with an example request, to the Service on the cluster or else to this machine.

    Args:
        fleet: Record of the fleet.
        skill: The skill; None in the document of the fleet.
        others: The skills of the fleet, in its document: a deployed one is the example.
    """
    example = skill or next((each for each in others if each.deployed), next(iter(others), None))
    if example is not None and (example.deployed or fleet.fleet.spec.deploy.namespace):
        return _usage_on_cluster(fleet, example)
    if skill is not None and not skill.packaged:
        text = "No version of this skill is packaged, so it cannot be used yet. The request will be:"
    elif not part(fleet.report("package"), "skills"):
        text = "No skill is packaged yet. The request will be:"
    else:
        text = (
            "The command ‘coachworks serve’ starts the service on this machine; elsewhere, replace localhost by the "
            f"service's address. {_ANSWER}"
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


def _usage_on_cluster(fleet: FleetRecord, skill: SkillRecord) -> Section:
    """Return the section with requests to a skill's Service, whose name and port are those of the fleet file."""
    service, port = fleet.fleet.service_name(skill.name), fleet.fleet.serving(skill.name).port or SERVICE_PORT
    namespace = skill.deployed[0].namespace if skill.deployed else str(fleet.fleet.spec.deploy.namespace)
    text = (
        f"Pods in the namespace {namespace} reach the skill {skill.name} at its Service; those of other namespaces "
        f"need a network policy that lets them in. {_ANSWER}"
    )
    if not skill.deployed:
        text = f"When this document was written, MLflow recorded no deployment of it. Once it is deployed: {text}"
    inside = Code(("curl --form photo=@photo.jpg \\", f"  http://{service}.{namespace}.svc:{port}/v1/predict"))
    outside = Code(
        (
            f"kubectl --namespace {namespace} port-forward service/{service} {_FORWARDED}:{port} &",
            f"curl --form photo=@photo.jpg http://localhost:{_FORWARDED}/v1/predict",
        )
    )
    from_here = Paragraph("From a machine with access to the cluster:")
    return Section("usage", "How to use it", (Paragraph(text), inside, from_here, outside))


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
