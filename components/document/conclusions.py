"""The answer first: where a skill stands, how sure that is, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from components.document.content import Bar, Fact, Figures, Verdict
from components.document.phrases import (
    NOT_MEASURED,
    count,
    decimal,
    interval,
    listed,
    percent,
    percents,
    quoted,
    sentence,
)
from components.document.run_records import Estimate, SkillRecord, estimate, number, parts, whole, words

FIRM_WIDTH, ROUGH_WIDTH = 0.06, 0.16  # of the interval, as shares: ±3 and ±8 percentage points


class Status(StrEnum):
    """Where a skill stands."""

    READY = "ready"
    WAITING = "not in service"
    FAILED = "not good enough"
    DROPPED = "left out"
    UNKNOWN = "not measured"


TONES: Mapping[Status, str] = {
    Status.READY: "good",
    Status.WAITING: "warn",
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
    """One gate and how it came out, in words."""

    key: str
    name: str
    limit: float | None
    value: float | None
    passed: bool | None

    @property
    def texts(self) -> tuple[str, str]:
        """Limit and value, each with its unit, distinguishable where they differ."""
        if "photos" in self.key:
            return count(_whole(self.limit)), count(_whole(self.value))
        if "calibration" in self.key:
            return decimal(self.limit), decimal(self.value)
        limit, value = percents(self.limit, self.value)
        return limit, value


def gates(record: SkillRecord) -> list[Gate]:
    """The gates that evaluate judged."""
    found = []
    for gate in parts(record.evaluated, "gates"):
        raw = words(gate, "gate")
        key = raw.replace("_", "").replace("-", "").lower()
        passed = gate.get("passed")
        found.append(
            Gate(
                key,
                _GATES.get(key, raw.replace("_", " ")),
                number(gate, "limit"),
                number(gate, "value"),
                passed if isinstance(passed, bool) else None,
            )
        )
    return found


def status(record: SkillRecord) -> Status:
    """Where a skill stands."""
    if record.validated.get("passed") is False or "dropped" in (
        record.trained.get("status"),
        record.evaluated.get("status"),
    ):
        return Status.DROPPED
    if record.evaluated.get("status") == "failed":
        return Status.FAILED
    if record.evaluated.get("status") != "passed":
        return Status.UNKNOWN
    served = words(record.registered, "status") in {"champion", "unchanged"} and bool(record.packaged)
    return Status.READY if served else Status.WAITING


def accuracy(record: SkillRecord) -> Estimate:
    """Balanced accuracy on the test photos."""
    return estimate(record.evaluated, "balanced_accuracy")


def accuracy_bar(record: SkillRecord) -> Bar:
    """Balanced accuracy as a table's cell."""
    measured = accuracy(record)
    limit = next((gate.limit for gate in gates(record) if gate.key == _ACCURACY_GATE), None)
    text = percent(measured.value)
    if measured.width is not None:
        text += f" ({interval(measured.low, measured.high)})"
    return Bar(measured.value, measured.low, measured.high, limit, text)


def reason(record: SkillRecord) -> str:
    """Why a skill stands where it does, as the run recorded it."""
    failures = [words(finding, "message") for finding in failed_findings(record)]
    if failures and record.validated.get("passed") is False:
        return " ".join(sentence(message) for message in failures[:3])
    for own in (record.trained, record.evaluated, record.registered):
        if words(own, "reason") and (own is not record.registered or status(record) is Status.WAITING):
            return sentence(words(own, "reason"))
    return ""


def failed_findings(record: SkillRecord) -> list[Mapping[str, Any]]:
    """What made validation refuse this skill."""
    own = parts(record.validated, "failures")
    return list(own) if own else [f for f in record.findings if words(f, "severity") == "failure"]


def verdict(record: SkillRecord) -> Verdict:
    """Is it good enough? How sure are we?"""
    state = status(record)
    tone = TONES[state]
    if state is Status.UNKNOWN:
        return Verdict("Not measured", "The run holds no evaluation of this skill, so nothing can be said of it.", tone)
    if state is Status.DROPPED:
        why = reason(record) or "The run does not say why."
        return Verdict(
            "Left out of this run", f"The skill was not trained or not tested. {why} {_served(record)}", tone
        )
    if state is Status.FAILED:
        missed = any(gate.passed is False for gate in gates(record))
        why = _gate_sentence(record) if missed else reason(record)
        return Verdict("Not good enough yet", f"{measured_sentence(record)} {why} {_served(record)}".strip(), tone)
    if state is Status.WAITING:
        why = reason(record) or "It is not part of the package."
        text = f"{measured_sentence(record)} {_gate_sentence(record)} {why} {_served(record)}"
        return Verdict("Good enough, not in service", " ".join(text.split()), tone)
    return Verdict("Good enough for use", f"{measured_sentence(record)} {_gate_sentence(record)}".strip(), tone)


def measured_sentence(record: SkillRecord) -> str:
    """How good it is, on what, and how sure that is."""
    measured = accuracy(record)
    if measured.value is None:
        return "Its accuracy was not measured."
    photos = whole(record.evaluated, "photos")
    on = f"On {count(photos, 'test photo')}" if photos is not None else "On the test photos"
    sets = whole(record.evaluated, "sets")
    if sets is not None and sets != photos:
        on += f" of {count(sets, 'separate thing', 'separate things')}"
    text = f"{on}, none of which it had seen in training, it gives the right answer {percent(measured.value)} of the"
    text += " time, every label counting the same."
    if measured.width is not None:
        text += f" We are {percent(record.confidence)} sure that the true figure lies between"
        text += f" {percent(measured.low)} and {percent(measured.high)}: {firmness(measured)}."
    return text


def firmness(measured: Estimate) -> str:
    """How much an interval of this width can be relied on."""
    if measured.width is None:
        return NOT_MEASURED
    if measured.width <= FIRM_WIDTH:
        return "a firm figure"
    if measured.width <= ROUGH_WIDTH:
        return "a fair figure, which more test photos would sharpen"
    return "a rough figure only, because it was tested on few photos"


def _gate_sentence(record: SkillRecord) -> str:
    judged = gates(record)
    if not judged:
        return "No gate was set for it."
    missed = [gate for gate in judged if gate.passed is False]
    if not missed:
        noun = "gate" if len(judged) == 1 else "gates"
        text = f"It passes {'the one' if len(judged) == 1 else f'all {len(judged)}'} {noun} that the fleet sets."
        low = accuracy(record).low
        limit = next((gate.limit for gate in judged if gate.key == _ACCURACY_GATE), None)
        if low is not None and limit is not None and low < limit:
            text += f" But the interval reaches below the gate of {percent(limit)}: the true figure may miss it."
        return text
    texts = [f"{gate.name[:1].lower()}{gate.name[1:]} {gate.texts[0]}, reached {gate.texts[1]}" for gate in missed]
    which = "its one gate" if len(judged) == 1 else f"{count(len(missed), 'gate')} of {len(judged)}"
    return f"It misses {which}: {listed(texts)}."


def _served(record: SkillRecord) -> str:
    version = words(record.packaged, "version")
    return f"Version {version}, from an earlier run, stays in service." if version else "No version is in service."


def key_figures(record: SkillRecord) -> Figures | None:
    """The few numbers on top of a page; None where nothing was measured."""
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
    rows.append(Fact("version in service", version or "none"))
    return Figures(tuple(rows))


def next_step(record: SkillRecord) -> str:
    """What to do next, in one or two sentences; "" where nothing is to be done."""
    state = status(record)
    if state is Status.READY:
        return ""
    if state is Status.DROPPED:
        ways = dict.fromkeys(sentence(words(f, "way_out")) for f in failed_findings(record) if words(f, "way_out"))
        return " ".join(list(ways)[:3]) or "Correct the data that the reason names, then run the pipeline again."
    if state is Status.WAITING:
        return "Compare the versions in MLflow; promote the new one if it should be served."
    if state is Status.UNKNOWN:
        return "Run the pipeline to its end for this skill."
    weak = weakest_labels(record)
    advice = []
    if weak:
        noun = "label" if len(weak) == 1 else "labels"
        advice.append(f"Add training photos of {listed(map(quoted, weak))}, the {noun} it misses most.")
        advice.append("Look at its wrong answers: labels that people confuse, a skill cannot learn.")
    measured = accuracy(record)
    missed = [g for g in gates(record) if g.passed is False and g.key == _ACCURACY_GATE and g.limit is not None]
    if missed and measured.high is not None and missed[0].limit is not None and measured.high >= missed[0].limit:
        advice.append("The gate lies within the interval: more test photos could also settle the question.")
    return " ".join(advice) or "Add training photos, then run the pipeline again."


def weakest_labels(record: SkillRecord, most: int = 2) -> list[str]:
    """Labels with the lowest recall that is below the average, the worst first."""
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
