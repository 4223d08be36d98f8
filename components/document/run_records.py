"""Records of a run: the reports of all steps, grouped by skill."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestors, load
from coachworks.steps import find_step
from coachworks.store import Store
from components.document.deployments import DeployedVersion, Deployments
from components.document.photo_facts import PhotoFacts, PhotoTables

_EMPTY: Mapping[str, Any] = {}
_CONFIDENCE = 0.95  # if the report of evaluate does not contain it


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured share and its interval; None: not measured."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def width(self) -> float | None:
        """Width of the interval."""
        return None if self.low is None or self.high is None else self.high - self.low


@dataclass(frozen=True, kw_only=True)
class SkillRecord:
    """All records of a run about one skill; a mapping is empty if the step did not record the skill.

    Attributes:
        name: Name of the skill.
        question: Its question.
        labels: Its labels, in the order of the fleet file.
        tier: "standard" or "critical".
        unsure: The answer of annotators that is not a label, or None.
        similar: Groups of labels whose confusion is a sensible mistake.
        findings: Findings of validate about the skill and about all skills.
        validated: Its part of the report of validate.
        trained: Its part of the report of train.
        evaluated: Its part of the report of evaluate.
        registered: Its part of the report of register.
        packaged: Its part of the report of package; empty if no version of it is packaged.
        facts: Counts, sources and dates of its photos.
        results: The results that it is based on, by step.
        fleet: The records that it shares with the other skills.
    """

    name: str
    question: str
    labels: tuple[str, ...]
    tier: str
    unsure: str | None
    similar: tuple[tuple[str, ...], ...]
    findings: tuple[Mapping[str, Any], ...]
    validated: Mapping[str, Any]
    trained: Mapping[str, Any]
    evaluated: Mapping[str, Any]
    registered: Mapping[str, Any]
    packaged: Mapping[str, Any]
    facts: PhotoFacts
    results: Mapping[str, Result[Any]]
    fleet: "FleetRecord"

    @property
    def answer_labels(self) -> tuple[str, ...]:
        """The labels, in the order of the evaluation's tables."""
        return tuple(str(label) for label in self.evaluated.get("labels") or ()) or self.labels

    @property
    def confidence(self) -> float:
        """Confidence level of the intervals, in [0, 1]."""
        inputs = self.results["evaluate"].inputs if "evaluate" in self.results else _EMPTY
        return number(inputs, "confidence") or number(part(inputs, "config"), "confidence") or _CONFIDENCE

    @property
    def version(self) -> str:
        """Version that this run registered, or whose head this run trained again; "" if there is none."""
        return words(self.registered, "version")

    @property
    def champion(self) -> str:
        """Version of the champion after this run; "" if there is none."""
        return words(self.registered, "champion_version") or self.packaged_version

    @property
    def packaged_version(self) -> str:
        """Version in the package; "" if there is none."""
        return words(self.packaged, "version")

    @property
    def not_packaged(self) -> str:
        """Reason why no version is packaged, or ""."""
        return words(part(self.fleet.report("package"), "left_out"), self.name)

    @property
    def deployed(self) -> tuple[DeployedVersion, ...]:
        """Deployed versions, one per release."""
        return self.fleet.deployments.of(self.name)

    def evaluation_file(self, name: str) -> Path | None:
        """Return the path of a file in the result of evaluate for this skill, or None."""
        result = self.results.get("evaluate")
        path = result.path / self.name / name if result else None
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class FleetRecord:
    """Records of a run about the whole fleet.

    Attributes:
        fleet: The fleet file.
        results: The results that all skills share, by step, and that of package.
        tables: The tables of photos and labels.
        deployments: Deployed versions, as MLflow records them when the document is written.
        facts: Counts, sources and dates of all photos.
        rejected: Number of files that ingest rejected, by reason.
    """

    fleet: Fleet
    results: Mapping[str, Result[Any]]
    tables: PhotoTables
    deployments: Deployments
    facts: PhotoFacts
    rejected: Mapping[str, int]

    def report(self, step: str) -> Mapping[str, Any]:
        """Return the report of a shared step; empty if it is missing."""
        result = self.results.get(step)
        return result.report if result else _EMPTY


def part(mapping: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the mapping under nested `names`; empty if there is none."""
    value: Any = mapping
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else _EMPTY


def parts(mapping: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """Return the list of mappings under `name`; empty if there is none."""
    value = mapping.get(name)
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, Sequence) else ()


def number(mapping: Mapping[str, Any], name: str) -> float | None:
    """Return the number under `name`, or None."""
    value = mapping.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def whole(mapping: Mapping[str, Any], name: str) -> int | None:
    """Return the number under `name`, rounded, or None."""
    value = number(mapping, name)
    return None if value is None else round(value)


def words(mapping: Mapping[str, Any], name: str) -> str:
    """Return the text under `name`, or ""."""
    value = mapping.get(name)
    return "" if value is None else str(value)


def estimate(mapping: Mapping[str, Any], name: str) -> Estimate:
    """Return the measure with its interval under `name`; a plain number has no interval."""
    inner = part(mapping, name)
    if inner:
        return Estimate(number(inner, "value"), number(inner, "low"), number(inner, "high"))
    return Estimate(number(mapping, name))


def read_records(
    store: Store, fleet: Fleet, package: Result[Any], deployments: Deployments
) -> tuple[FleetRecord, list[SkillRecord]]:
    """Read the records of the fleet and of each of its skills, in the order of the fleet file."""
    lanes = [load(store, "register", key) for key in _keys(package.inputs.get("register"))]
    first = lanes[0] if lanes else package
    shared = {step: result for step, result in _chain(store, first).items() if not find_step(step).per_lane}
    shared["package"] = package
    tables = PhotoTables.read(_folder(shared, "ingest"), _folder(shared, "split"))
    record = FleetRecord(
        fleet=fleet,
        results=shared,
        tables=tables,
        deployments=deployments,
        facts=tables.all_photos(),
        rejected={str(reason): int(n) for reason, n in part(_report(shared, "ingest"), "rejected").items()},
    )
    chains = [_chain(store, lane) for lane in lanes]
    return record, [_skill(record, chains, name) for name in fleet.spec.skills]


def _skill(record: FleetRecord, chains: list[dict[str, Result[Any]]], name: str) -> SkillRecord:
    skill = record.fleet.skill(name)
    chain: Mapping[str, Result[Any]] = next(
        (chain for chain in chains if any(part(_report(chain, step), "skills", name) for step in _of_lanes(chain))), {}
    )
    results = {**record.results, **chain}
    own = {
        step: part(_report(results, step), "skills", name)
        for step in ("train", "evaluate", "register", "validate", "package")
    }
    labels = tuple(skill.labels)
    findings = {str(sorted(f.items(), key=str)): f for f in parts(own["validate"], "failures")}
    findings |= {str(sorted(f.items(), key=str)): f for f in parts(own["validate"], "warnings")}
    for finding in parts(record.report("validate"), "findings"):
        if finding.get("skill") in (None, name):
            findings.setdefault(str(sorted(finding.items(), key=str)), finding)
    return SkillRecord(
        name=name,
        question=skill.question or "",
        labels=labels,
        tier=skill.tier,
        unsure=skill.unsure,
        similar=tuple(tuple(group) for group in skill.similar),
        findings=tuple(findings.values()),
        validated=own["validate"],
        trained=own["train"],
        evaluated=own["evaluate"],
        registered=own["register"],
        packaged=own["package"],
        facts=record.tables.of_skill(name, labels),
        results=results,
        fleet=record,
    )


def _chain(store: Store, result: Result[Any]) -> dict[str, Result[Any]]:
    """Return the results that `result` was made from by step, as far back as the store still has them."""
    chain: dict[str, Result[Any]] = {}
    with suppress(NotFoundError, KeyError, IndexError):  # a result was pruned: the document says "not measured"
        for earlier in ancestors(store, result):
            chain[earlier.step] = earlier
    return chain


def _of_lanes(steps: Iterable[str]) -> list[str]:
    return [step for step in steps if find_step(step).per_lane]


def _keys(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(key) for key in value] if isinstance(value, Sequence) else []


def _report(results: Mapping[str, Result[Any]], step: str) -> Mapping[str, Any]:
    return results[step].report if step in results else _EMPTY


def _folder(results: Mapping[str, Result[Any]], step: str) -> Path | None:
    return results[step].path if step in results else None
