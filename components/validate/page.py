"""Result page: verdicts, numbers and pictures in one self-contained HTML file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from coachworks.fleet.model import Fleet
from coachworks.tables import SPLITS
from coachworks.wording import counted
from components.validate.report import ValidateReport
from components.validate.thumbnails import Thumbnails
from validation import Evidence, Finding, Severity

_PHOTOS_SHOWN = 12  # per finding
_PAIRS_SHOWN = 8
_LABELS_SHOWN = 16  # of more labels, those with the fewest photos; the others are folded
_OPEN_SKILLS = 8  # in a larger fleet, only stopped skills are unfolded
_MEASURED = {  # column and format of a value in the caption, by check
    "sharpness": ("relative_sharpness", "sharpness {:.4f}"),
    "brightness": ("brightness", "brightness {:.2f}"),
    "contrast": ("contrast", "contrast {:.3f}"),
    "size": ("short_side_px", "{:.0f} px"),
    "taken-at": ("taken_at", "taken {:%Y-%m-%d}"),
}


@dataclass(frozen=True, kw_only=True)
class _Picture:
    uri: str
    name: str
    notes: tuple[str, ...]


def render(
    fleet: Fleet,
    report: ValidateReport,
    evidence: Evidence | None,
    record: Mapping[str, Any],
    thumbnails: Thumbnails,
) -> str:
    """Render the page as HTML.

    Args:
        fleet: The fleet.
        report: The findings.
        evidence: The validated tables; None if they could not be read.
        record: The results of Great Expectations.
        thumbnails: Thumbnails of the photos.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    album = _Album(evidence, thumbnails)
    skills = [_skill(fleet, name, report, evidence, album) for name in fleet.spec.skills]
    fleet_wide = [finding for finding in report.findings if finding.skill is None]
    template = environment.get_template("page.html.jinja")
    return template.render(
        fleet=fleet.name,
        facts=_facts(report, evidence),
        skills=skills,
        findings=[album.show(finding) for finding in _worst_first(fleet_wide)],
        suites=record["suites"],
        version=record["great_expectations"],
        splits=SPLITS,
    )


def _code(text: str) -> Markup:
    """Format `names` in backticks as code, and escape everything else."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 — escaped just before


def _facts(report: ValidateReport, evidence: Evidence | None) -> list[tuple[str, str]]:
    passed = sum(verdict.passed for verdict in report.skills.values())
    facts = [("skills may train", f"{passed} of {len(report.skills)}")]
    if evidence is not None:
        catalogue = evidence.catalogue
        for noun, number in (
            ("photo", report.photos),
            ("set", catalogue["set_id"].nunique()),
            ("source", catalogue["source"].nunique()),
            ("label", int(evidence.labels["admissible"].sum())),
        ):
            value, word = counted(number, noun).split()
            facts.append((f"{word} in all" if noun == "label" else word, value))
    counts = {severity: sum(finding.severity is severity for finding in report.findings) for severity in Severity}
    facts.append(("failures · warnings", f"{counts[Severity.FAILURE]} · {counts[Severity.WARNING]}"))
    facts.append(("expectations evaluated", f"{report.expectations:,}"))
    return facts


def _skill(
    fleet: Fleet, name: str, report: ValidateReport, evidence: Evidence | None, album: "_Album"
) -> dict[str, Any]:
    skill, verdict = fleet.skill(name), report.skills[name]
    notes = [f for f in report.findings if f.skill == name and f.severity is Severity.INFO]
    findings = [*verdict.failures, *verdict.warnings, *notes]
    own = [finding for finding in findings if finding.skill == name]
    state = "stopped" if not verdict.passed else "warned" if verdict.warnings else "passed"
    gate = fleet.gates(name).min_photos_per_label
    labels = _labels(name, evidence)
    few = len(labels) <= _LABELS_SHOWN
    shown = labels if few else sorted(labels, key=lambda row: row["photos"])
    return {
        "name": name,
        "question": skill.question,
        "critical": skill.tier == "critical",
        "state": state,
        "verdict": {"stopped": "Stopped", "warned": "May train, with warnings", "passed": "May train"}[state],
        "reasons": [finding.message for finding in verdict.failures or verdict.warnings],
        "rule": f"gate of the fleet file: {gate:,} photos per label"
        if gate
        else "rule of thumb: 1,000 photos per label",
        "labels": shown if few else shown[:_LABELS_SHOWN],
        "more_labels": [] if few else shown[_LABELS_SHOWN:],
        "photos": sum(row["photos"] for row in labels),
        "missing": sum(row["missing"] for row in labels),
        "open": state == "stopped" or len(fleet.spec.skills) <= _OPEN_SKILLS,
        "findings": [album.show(finding) for finding in own],
        "fleet_wide": [finding.message for finding in verdict.failures if finding.skill is None],
    }


def _labels(skill: str, evidence: Evidence | None) -> list[dict[str, Any]]:
    if evidence is None:
        return []
    rows = evidence.coverage[evidence.coverage["skill"] == skill].to_dict("records")
    longest = max([*(row["photos"] for row in rows), *(row["needed"] for row in rows), 1])
    return [
        {
            **{str(key): value for key, value in row.items()},
            "widths": {split: 100 * row[split] / longest for split in SPLITS},
            "gate_at": 100 * row["needed"] / longest,
        }
        for row in rows
    ]


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))


class _Album:
    """Formatter of findings with their pictures."""

    def __init__(self, evidence: Evidence | None, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._labels: dict[tuple[str, str], str] = {}
        if evidence is not None:
            self._rows = {str(row["photo_id"]): row for row in evidence.catalogue.to_dict("records")}
            known = evidence.labels[evidence.labels["label"].notna()]
            self._labels = {
                (skill, photo_id): label
                for skill, photo_id, label in zip(known["skill"], known["photo_id"], known["label"], strict=True)
            }

    def show(self, finding: Finding) -> dict[str, Any]:
        """Return a finding in the form of the template."""
        pairs, photos = self._pairs(finding), self._photos(finding)
        shown = 2 * len(pairs) if finding.pairs else len(photos)
        return {
            "check": finding.check.replace("-", " "),
            "severity": finding.severity.value,
            "message": finding.message,
            "way_out": finding.way_out,
            "count": finding.count,
            "details": () if photos and finding.check == _ONE_LINE_EACH else finding.details,
            "wide": finding.check == _ONE_LINE_EACH,
            "pairs": pairs,
            "photos": photos,
            "more": max(0, finding.count - shown) if shown and not finding.pairs else 0,
            "more_pairs": max(0, len(finding.pairs) - len(pairs)),
        }

    def _pairs(self, finding: Finding) -> list[tuple[_Picture, _Picture]]:
        pairs = []
        for first, second in finding.pairs[:_PAIRS_SHOWN]:
            left, right = self._picture(first, finding), self._picture(second, finding)
            if left and right:
                pairs.append((left, right))
        return pairs

    def _photos(self, finding: Finding) -> list[_Picture]:
        if finding.pairs or finding.check in _WITHOUT_PICTURES:
            return []
        pictures = [self._picture(photo_id, finding) for photo_id in self._examples(finding)]
        if finding.check == _ONE_LINE_EACH:
            pictures = [
                picture and replace(picture, notes=(line,))
                for picture, line in zip(pictures, finding.details, strict=False)
            ]
        return [picture for picture in pictures if picture is not None]

    def _examples(self, finding: Finding) -> Sequence[str]:
        column = _MEASURED.get(finding.check, (None,))[0]
        if column is None or finding.check == "brightness":
            return finding.photo_ids[:_PHOTOS_SHOWN]
        reverse = finding.check == "taken-at"
        known = [photo_id for photo_id in finding.photo_ids if photo_id in self._rows]
        return sorted(known, key=lambda photo_id: self._rows[photo_id][column], reverse=reverse)[:_PHOTOS_SHOWN]

    def _picture(self, photo_id: str, finding: Finding) -> _Picture | None:
        row, uri = self._rows.get(photo_id), self._thumbnails.uri(photo_id)
        if row is None or uri is None:
            return None
        notes = []
        if finding.skill is not None and (finding.skill, photo_id) in self._labels:
            notes.append(self._labels[finding.skill, photo_id])
        if finding.pairs and isinstance(row["split"], str):
            notes = [" · ".join([*notes, row["split"]])]
        if finding.check in _MEASURED:
            column, text = _MEASURED[finding.check]
            notes.append(text.format(row[column]))
        return _Picture(uri=uri, name=str(row["filename"]), notes=tuple(notes))


_ONE_LINE_EACH = "contradicting-duplicates"  # each line belongs to a photo
_WITHOUT_PICTURES = {"permission", "perceptual-hash", "complete", "unique-photo-id", "photo-id"}
