"""Conclusions about a skill: status, certainty and next step."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from coachworks.wording import joined, noun_for
from components.document.content import Bar, Conclusion, Fact, Figures
from components.document.deployments import DeployedVersion
from components.document.phrases import (
    NOT_MEASURED,
    between,
    count,
    day,
    decimal,
    interval,
    moment,
    percent,
    percents,
    quoted,
    sentence,
)
from components.document.run_records import Estimate, SkillRecord, estimate, number, parts, whole, words

FIRM_WIDTH, ROUGH_WIDTH = 0.06, 0.16  # widths of an interval, as shares: ±3 and ±8 percentage points


class Status(StrEnum):
    """Status of a skill after a run."""

    READY = "ready"
    CHALLENGER = "challenger"
    NOT_PACKAGED = "not packaged"
    FAILED = "not good enough"
    DROPPED = "left out"
    UNKNOWN = "not measured"


TONES: Mapping[Status, str] = {
    Status.READY: "good",
    Status.CHALLENGER: "muted",
    Status.NOT_PACKAGED: "warn",
    Status.FAILED: "bad",
    Status.DROPPED: "bad",
    Status.UNKNOWN: "muted",
}
_ACCURACY_GATE = "minbalancedaccuracy"
_GATES = {
    "minphotosperlabel": "Photos per label, at least",
    _ACCURACY_GATE: "Balanced accuracy, at least",
    "maxexpectedcalibrationerror": "Calibration error, at most",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate and its outcome, for display."""

    key: str
    name: str
    limit: float | None
    value: float | None
    passed: bool | None

    @property
    def texts(self) -> tuple[str, str]:
        """Limit and value, each with its unit, with enough digits to distinguish them."""
        if "photos" in self.key:
            return count(_whole(self.limit)), count(_whole(self.value))
        if "calibration" in self.key:
            return decimal(self.limit), decimal(self.value)
        limit, value = percents(self.limit, self.value)
        return limit, value


def gates(record: SkillRecord) -> list[Gate]:
    """Return the gates that evaluate checked."""
    checked = []
    for gate in parts(record.evaluated, "gates"):
        raw = words(gate, "gate")
        key = raw.replace("_", "").replace("-", "").lower()
        passed = gate.get("passed")
        checked.append(
            Gate(
                key,
                _GATES.get(key, raw.replace("_", " ")),
                number(gate, "limit"),
                number(gate, "value"),
                passed if isinstance(passed, bool) else None,
            )
        )
    return checked


def status(record: SkillRecord) -> Status:
    """Return the status of a skill."""
    if record.validated.get("passed") is False or "dropped" in (
        record.trained.get("status"),
        record.evaluated.get("status"),
    ):
        return Status.DROPPED
    if record.evaluated.get("status") == "failed":
        return Status.FAILED
    if record.evaluated.get("status") != "passed":
        return Status.UNKNOWN
    if words(record.registered, "status") == "challenger":
        return Status.CHALLENGER
    packaged = words(record.registered, "status") in {"champion", "unchanged"} and bool(record.packaged)
    return Status.READY if packaged else Status.NOT_PACKAGED


def accuracy(record: SkillRecord) -> Estimate:
    """Return the balanced accuracy on the test photos."""
    return estimate(record.evaluated, "balanced_accuracy")


def accuracy_bar(record: SkillRecord) -> Bar:
    """Return the balanced accuracy as a cell of a table."""
    measured = accuracy(record)
    limit = next((gate.limit for gate in gates(record) if gate.key == _ACCURACY_GATE), None)
    text = percent(measured.value)
    if measured.width is not None:
        text += f" ({interval(measured.low, measured.high)})"
    return Bar(measured.value, measured.low, measured.high, limit, text)


def reason(record: SkillRecord) -> str:
    """Return the recorded reason for a skill's status, or ""."""
    failures = [words(finding, "message") for finding in failed_findings(record)]
    if failures and record.validated.get("passed") is False:
        return " ".join(sentence(message) for message in failures[:3])
    if status(record) is Status.CHALLENGER and words(record.registered, "reason"):
        return sentence(words(record.registered, "reason"))
    if status(record) is Status.NOT_PACKAGED and record.not_packaged:
        return sentence(record.not_packaged)
    return next((sentence(words(own, "reason")) for own in (record.trained, record.evaluated) if own.get("reason")), "")


def failed_findings(record: SkillRecord) -> list[Mapping[str, Any]]:
    """Return the findings because of which validation stopped this skill."""
    own = parts(record.validated, "failures")
    return list(own) if own else [f for f in record.findings if words(f, "severity") == "failure"]


def conclusion(record: SkillRecord) -> Conclusion:
    """Return whether the skill is good enough, and with which certainty."""
    state = status(record)
    tone = TONES[state]
    if state is Status.UNKNOWN:
        return Conclusion("Not measured", "The run contains no evaluation of this skill.", tone)
    if state is Status.DROPPED:
        why = reason(record) or "The run recorded no reason."
        text = f"The skill was not trained or not tested. {why} {whereabouts(record)}"
        return Conclusion("Left out of this run", text, tone)
    if state is Status.FAILED:
        missed = any(gate.passed is False for gate in gates(record))
        why = _gate_sentence(record) if missed else reason(record)
        text = f"{measured_sentence(record)} {why} {whereabouts(record)}"
        return Conclusion("Not good enough yet", text.strip(), tone)
    text = f"{measured_sentence(record)} {_gate_sentence(record)}"
    if state is Status.CHALLENGER:
        own = f"Version {record.version} is the challenger." if record.version else ""
        stays = f"version {record.champion}" if record.champion else "an earlier version"
        text = " ".join(filter(None, (own, text, reason(record), whereabouts(record))))
        return Conclusion(f"Good enough, but {stays} stays the champion", text, tone)
    title = "Good enough, not packaged" if state is Status.NOT_PACKAGED else "Good enough for use"
    return Conclusion(title, f"{text} {whereabouts(record)}", tone)


def measured_sentence(record: SkillRecord) -> str:
    """Return a sentence with the balanced accuracy, the test photos and the interval."""
    measured = accuracy(record)
    if measured.value is None:
        return "Its accuracy was not measured."
    photos = whole(record.evaluated, "photos")
    on = f"On {count(photos, 'test photo')}" if photos is not None else "On the test photos"
    sets = whole(record.evaluated, "sets")
    if sets is not None and sets != photos:
        on += f" of {count(sets, 'separate thing', 'separate things')}"
    text = f"{on}, none of which were used for training, {percent(measured.value)} of its answers are right; every"
    text += " label counts the same."
    if measured.width is not None:
        text += f" With a confidence of {percent(record.confidence)}, the true figure lies"
        text += f" {between(measured.low or 0.0, measured.high or 0.0)}: {precision(measured)}."
    return text


def precision(measured: Estimate) -> str:
    """Return a phrase for the width of the interval."""
    if measured.width is None:
        return NOT_MEASURED
    if measured.width <= FIRM_WIDTH:
        return "a precise figure"
    if measured.width <= ROUGH_WIDTH:
        return "a fairly precise figure, which more test photos would improve"
    return "only a rough figure, because there are few test photos"


def _gate_sentence(record: SkillRecord) -> str:
    judged = gates(record)
    if not judged:
        return "It has no gates."
    missed = [gate for gate in judged if gate.passed is False]
    if not missed:
        passed = noun_for(len(judged), "the one gate", f"all {len(judged)} gates")
        text = f"It passes {passed} of the fleet."
        low = accuracy(record).low
        limit = next((gate.limit for gate in judged if gate.key == _ACCURACY_GATE), None)
        if low is not None and limit is not None and low < limit:
            text += f" But the interval extends below the gate of {percent(limit)}: the true figure may miss it."
        return text
    texts = [f"{gate.name[:1].lower()}{gate.name[1:]} {gate.texts[0]}, reached {gate.texts[1]}" for gate in missed]
    which = "its one gate" if len(judged) == 1 else f"{count(len(missed), 'gate')} of {len(judged)}"
    return f"It misses {which}: {joined(texts)}."


def whereabouts(record: SkillRecord) -> str:
    """Return sentences on the versions that are packaged and deployed."""
    version = record.packaged_version
    earlier = ", from an earlier run, stays" if version and version != record.version else " is"
    why = f": {record.not_packaged}" if record.not_packaged else "."
    packaged = f"Version {version}{earlier} packaged." if version else sentence(f"No version is packaged{why}")
    return f"{packaged} {deployed_sentence(record)}"


def deployed_sentence(record: SkillRecord) -> str:
    """Return a sentence on the deployed versions: a run deploys, if at all, after its documents are written."""
    if not record.fleet.deployments.known:
        return "Whether a version is deployed is not known: the registry could not be read."
    if not record.deployed:
        return "When this document was written, MLflow recorded no deployment."
    texts = [f"version {each.version} {place(each)}" for each in record.deployed]
    return f"When this document was written, MLflow recorded as deployed: {joined(texts)}."


def place(deployed: DeployedVersion) -> str:
    """Return a phrase for the release of a deployed version and the time since when it is deployed."""
    when = moment(deployed.since)
    since = f" since {day(when)}, {when:%H:%M} UTC" if when else ""
    return f"in the release {deployed.release} of the namespace {deployed.namespace}{since}"


def deployed_versions(record: SkillRecord) -> str:
    """Return the numbers of the deployed versions for a narrow column; "?" if they are not known."""
    if not record.fleet.deployments.known:
        return "?"
    return ", ".join(dict.fromkeys(each.version for each in record.deployed)) or "–"


def key_figures(record: SkillRecord) -> Figures | None:
    """Return the key figures at the top of a document; None if nothing was measured."""
    measured = accuracy(record)
    if measured.value is None:
        return None
    spread = f"± {max(1, round(50 * measured.width))} points" if measured.width is not None else "interval not measured"
    other = record.version and record.version != record.packaged_version  # the figures are not those of the package
    rows = [
        Fact(f"balanced accuracy{f' of version {record.version}' if other else ''}", f"{percent(measured.value)}"),
        Fact(f"{percent(record.confidence)} interval", spread),
        Fact("test photos", count(whole(record.evaluated, "photos"))),
    ]
    packaged = record.packaged_version or "none"
    if record.deployed and deployed_versions(record) == packaged:
        return Figures((*rows, Fact("packaged and deployed version", packaged)))
    rows.append(Fact("packaged version", packaged))
    if record.deployed:
        rows.append(Fact("deployed version", deployed_versions(record)))
    return Figures(tuple(rows))


def next_step(record: SkillRecord) -> str:
    """Return the next step in one or two sentences; "" if there is nothing to do."""
    state = status(record)
    if state is Status.READY:
        return ""
    if state is Status.DROPPED:
        ways = dict.fromkeys(sentence(words(f, "way_out")) for f in failed_findings(record) if words(f, "way_out"))
        return " ".join(list(ways)[:3]) or "Correct the data as the reason says, then run the pipeline again."
    if state is Status.CHALLENGER:
        return _advice_on_challenger(record)
    if state is Status.NOT_PACKAGED:
        return "Run the pipeline again once the reason is removed."
    if state is Status.UNKNOWN:
        return "Run the pipeline for this skill, up to its last step."
    weak = weakest_labels(record)
    advice = []
    if weak:
        noun = noun_for(len(weak), "label")
        advice.append(f"Add training photos of {joined(map(quoted, weak))}, the {noun} it misses most.")
        advice.append("Look at its wrong answers: a skill cannot learn labels that people confuse.")
    measured = accuracy(record)
    missed = [g for g in gates(record) if g.passed is False and g.key == _ACCURACY_GATE and g.limit is not None]
    if missed and measured.high is not None and missed[0].limit is not None and measured.high >= missed[0].limit:
        advice.append("The gate lies within the interval: with more test photos, the skill may pass.")
    return " ".join(advice) or "Add training photos, then run the pipeline again."


def _advice_on_challenger(record: SkillRecord) -> str:
    """Advise by the comparison with the champion: only a person can decide where the two were not compared."""
    champion, challenger = number(record.registered, "champion_metric"), number(record.registered, "challenger_metric")
    if champion is None or challenger is None:
        return (
            f"Compare versions {record.version} and {record.champion} in MLflow; move the alias ‘champion’ if the new "
            "one is to be used."
        )
    if challenger <= champion:
        return (
            f"Nothing needs to be done: version {record.champion} is not worse. More training photos may improve on it."
        )
    better = number(record.registered, "probability_better")
    sure = f" in {percent(better)} of the bootstrap replicates" if better is not None else ""
    return f"Version {record.version} was better{sure}, which is not certain enough: add test photos to decide it."


def weakest_labels(record: SkillRecord, most: int = 2) -> list[str]:
    """Return the labels with the lowest recall, if below the average, the worst first."""
    per_label = record.evaluated.get("per_label")
    if not isinstance(per_label, Mapping):
        return []
    recalls = {label: estimate(per_label[label], "recall").value for label in per_label}
    known = {label: value for label, value in recalls.items() if value is not None}
    if not known:
        return []
    mean = sum(known.values()) / len(known)
    return [label for label, value in sorted(known.items(), key=lambda item: item[1]) if value < mean][:most]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
