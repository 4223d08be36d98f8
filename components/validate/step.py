"""The step validate as a library function."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import validation
from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor, load, produce
from coachworks.tables import CATALOGUE, SPLIT_LABELS, VOTES, read_table, with_present_names
from components.validate.config import ValidateConfig
from components.validate.look_alikes import find_look_alikes
from components.validate.report import ValidateReport

_SPLITS = {"photo_id": "string", "set_id": "string", "split": "string"}


def validate(
    fleet: Fleet, split: str, *, config: ValidateConfig | None = None, context: Context | None = None
) -> Result[ValidateReport]:
    """Judge the photos and labels of a fleet: which skills may train, and what is missing.

    The result holds `page.html`, which needs no other file, and `expectations.json`, the results of Great Expectations.

    Args:
        fleet: The fleet, its paths absolute.
        split: Key of the result of split.
        config: Settings; None for the defaults.
        context: The surroundings of the task; None opens the fleet's own store.
    """
    config = config or ValidateConfig()
    context = context or open_context(fleet)
    store = context.store
    inputs = {
        "split": split,
        "fleet": fleet.name,
        "skills": _skills(fleet),
        "checks": fleet.spec.checks.model_dump(),
        "settings": dataclasses.asdict(config),
    }

    def build(folder: Path) -> ValidateReport:
        return _judge(context, fleet, load(store, "split", split), config, folder)

    return produce(ValidateReport, inputs, build, context=context, code=code_digest(__name__))


def _skills(fleet: Fleet) -> dict[str, Any]:
    """Return the part of the fleet file that decides the verdicts."""
    return {
        name: {
            "question": skill.question,
            "labels": skill.labels,
            "unsure": skill.unsure,
            "tier": skill.tier,
            "min_photos_per_label": fleet.gates(name).min_photos_per_label,
        }
        for name, skill in fleet.spec.skills.items()
    }


def _judge(context: Context, fleet: Fleet, split: Result[Any], config: ValidateConfig, folder: Path) -> ValidateReport:
    from components.validate.page import render
    from components.validate.thumbnails import Thumbnails, photo_reader

    store, progress = context.store, context.progress
    ingest = ancestor(store, split, "ingest")
    files: dict[str, tuple[Path, Mapping[str, str]]] = {
        "catalogue": (ingest.path / "catalogue.parquet", CATALOGUE),
        "votes": (ingest.path / "votes.parquet", VOTES),
        "labels": (split.path / "labels.parquet", SPLIT_LABELS),
        "splits": (split.path / "splits.parquet", _SPLITS),
    }
    progress.note("loading Great Expectations")
    judged = validation.run_suite(fleet.name, validation.schema_rules(), {"schema": validation.schema_table(files)})
    findings, record = list(judged.findings), dict(judged.record)
    evidence = None
    if not findings:
        tables = {name: read_table(path) for name, (path, _) in files.items()}
        tables["votes"] = with_present_names(tables["votes"], fleet.renamed)
        evidence = _gather(context, fleet, config, tables, folder)
        judged = validation.run_suite(
            fleet.name, validation.rules(fleet, fleet.spec.checks, evidence), evidence.tables()
        )
        findings = [*judged.findings, *validation.labels_about_quality(fleet.spec.checks, evidence)]
        record["suites"] = {**record["suites"], **judged.record["suites"]}
    verdicts = {
        name: validation.judge_skill(
            name,
            findings,
            critical=skill.tier == "critical",
            photo_ids=evidence.photos_of(name) if evidence else frozenset(),
        )
        for name, skill in fleet.spec.skills.items()
    }
    report = ValidateReport(
        skills={name: verdict.shortened() for name, verdict in verdicts.items()},
        findings=tuple(finding.shortened() for finding in findings),
        photos=len(evidence.catalogue) if evidence else 0,
        expectations=sum(len(suite["results"]) for suite in record["suites"].values()),
        near_duplicates=len(evidence.pairs) if evidence else 0,
    )
    (folder / "expectations.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False), "utf-8"
    )
    read = photo_reader(store, evidence.catalogue, at_least_px=160) if evidence else lambda photo_id: None
    thumbnails = Thumbnails(read)
    (folder / "page.html").write_text(render(fleet, report, evidence, record, thumbnails), "utf-8")
    for name, verdict in verdicts.items():
        if not verdict.passed:
            progress.note(f"{name} is stopped: {verdict.failures[0].message}")
    return report


def _gather(
    context: Context, fleet: Fleet, config: ValidateConfig, tables: Mapping[str, Any], folder: Path
) -> validation.Evidence:
    from components.validate.thumbnails import photo_reader

    catalogue = tables["catalogue"]
    photos = catalogue.drop_duplicates("photo_id").sort_values("filename")
    read = photo_reader(context.store, photos, at_least_px=64)
    near = find_look_alikes(photos, read, config, context, folder=folder, code=code_digest(__name__))
    return validation.gather(
        fleet,
        fleet.spec.checks,
        catalogue=catalogue,
        splits=tables["splits"],
        labels=tables["labels"],
        votes=tables["votes"],
        pairs=validation.pairs_across_sets(near, photos),
    )
