"""Conclusions about a skill: status, certainty and next step."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from coachworks.wording import joined, noun_for
from components.document.content import Bar, Conclusion, Fact, Figures
from components.document.phrases import (
    NOT_MEASURED,
    count,
    decimal,
    interval,
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
    NOT_PACKAGED = "not packaged"
    FAILED = "not good enough"
    DROPPED = "left out"
    UNKNOWN = "not measured"


TONES: Mapping[Status, str] = {
    Status.READY: "good",
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
    for own in (record.trained, record.evaluated, record.registered):
        if words(own, "reason") and (own is not record.registered or status(record) is Status.NOT_PACKAGED):
            return sentence(words(own, "reason"))
    return ""


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
        text = f"The skill was not trained or not tested. {why} {_packaged_sentence(record)}"
        return Conclusion("Left out of this run", text, tone)
    if state is Status.FAILED:
        missed = any(gate.passed is False for gate in gates(record))
        why = _gate_sentence(record) if missed else reason(record)
        text = f"{measured_sentence(record)} {why} {_packaged_sentence(record)}"
        return Conclusion("Not good enough yet", text.strip(), tone)
    if state is Status.NOT_PACKAGED:
        why = reason(record) or "It is not part of the package."
        text = f"{measured_sentence(record)} {_gate_sentence(record)} {why} {_packaged_sentence(record)}"
        return Conclusion("Good enough, not packaged", " ".join(text.split()), tone)
    return Conclusion("Good enough for use", f"{measured_sentence(record)} {_gate_sentence(record)}".strip(), tone)


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
        text += f" With a confidence of {percent(record.confidence)}, the true figure lies between"
        text += f" {percent(measured.low)} and {percent(measured.high)}: {precision(measured)}."
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


def _packaged_sentence(record: SkillRecord) -> str:
    version = words(record.packaged, "version")
    return f"Version {version}, from an earlier run, stays packaged." if version else "No version is packaged."


def key_figures(record: SkillRecord) -> Figures | None:
    """Return the key figures at the top of a document; None if nothing was measured."""
    measured = accuracy(record)
    if measured.value is None:
        return None
    spread = f"± {max(1, round(50 * measured.width))} points" if measured.width is not None else "interval not measured"
    rows = [
        Fact("balanced accuracy", f"{percent(measured.value)}"),
        Fact(f"{percent(record.confidence)} interval", spread),
    ]
    rows.append(Fact("test photos", count(whole(record.evaluated, "photos"))))
    version = words(record.packaged, "version")
    rows.append(Fact("packaged version", version or "none"))
    return Figures(tuple(rows))


def next_step(record: SkillRecord) -> str:
    """Return the next step in one or two sentences; "" if there is nothing to do."""
    state = status(record)
    if state is Status.READY:
        return ""
    if state is Status.DROPPED:
        ways = dict.fromkeys(sentence(words(f, "way_out")) for f in failed_findings(record) if words(f, "way_out"))
        return " ".join(list(ways)[:3]) or "Correct the data as the reason says, then run the pipeline again."
    if state is Status.NOT_PACKAGED:
        return "Compare the versions in MLflow; promote the new one if it is to be used."
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
