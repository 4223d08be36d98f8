"""Steady load on a deployed fleet, from a pod of its own; every request is recorded."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import Lab, until

SCRIPT = Path(__file__).with_name("load_client.py")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass
class Counted:
    """Requests of a period and their answers; complete when the period is over.

    Attributes:
        name: What happened in it.
        lines: A line per request, as the client wrote them.
        note: Further words for the table.
    """

    name: str
    lines: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    @property
    def sent(self) -> int:
        return len(self.lines)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Requests without an answer, or with an answer of another skill."""
        return [line for line in self.lines if "error" in line]

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def by_version(self) -> dict[str, Counter[str]]:
        """Number of answers of each version, by skill."""
        counts: dict[str, Counter[str]] = {}
        for line in self.lines:
            if "version" in line:
                counts.setdefault(line["skill"], Counter())[line["version"]] += 1
        return counts

    @property
    def longest_s(self) -> float:
        return max((line["seconds"] for line in self.lines), default=0.0)

    def labelled_otherwise(self, usual: Mapping[tuple[str, str], str]) -> list[dict[str, Any]]:
        """Return the answers that differ from the usual ones of their skill and version."""
        return [
            line for line in self.lines if "label" in line and line["label"] != usual[line["skill"], line["version"]]
        ]

    def slower_than(self, seconds: float) -> list[dict[str, Any]]:
        """Return the answers that took longer."""
        return [line for line in self.lines if line["seconds"] > seconds]

    def between(self, first: float, last: float) -> int:
        """Return how many requests began between two moments."""
        return sum(first <= line["at"] <= last for line in self.lines)

    def __str__(self) -> str:
        versions = "; ".join(
            f"{skill} " + ", ".join(f"v{version}: {count}" for version, count in sorted(counts.items()))
            for skill, counts in sorted(self.by_version.items())
        )
        text = (
            f"{self.name:<44} sent {self.sent:>5}  failed {self.failed:>4}  longest {self.longest_s:5.2f} s  {versions}"
        )
        return f"{text}; {self.note}" if self.note else text


@dataclass(frozen=True)
class Load:
    """A pod that sends requests.

    Attributes:
        lab: The cluster.
        namespace: Where it is.
        pod: Its name.
        cases: Where every period is kept, for the table.
    """

    lab: Lab
    namespace: str
    pod: str
    cases: list[Counted]

    @contextmanager
    def counted(self, name: str) -> Iterator[Counted]:
        """Record the requests that begin inside the block, until each has ended."""
        counted, began = Counted(name), time.time()
        try:
            yield counted
        finally:
            ended = time.time()
            counted.lines += [line for line in self._complete(began, ended) if began <= line["at"] < ended]
            self.cases.append(counted)
            print(counted)

    def for_(self, seconds: float, name: str) -> Counted:
        """Record the requests of some seconds in which nothing happens."""
        with self.counted(name) as counted:
            time.sleep(seconds)
        return counted

    def _complete(self, began: float, ended: float) -> list[dict[str, Any]]:
        """Return the lines since `began`, once each client has begun a request after `ended`: earlier ones are over."""

        def read() -> list[dict[str, Any]] | None:
            lines = self.lines(began - 60)  # a line is written when its request ends
            clients = {line["client"] for line in lines}
            return lines if clients and clients == {line["client"] for line in lines if line["at"] >= ended} else None

        return until(f"the end of what {self.pod} had asked", read, within_s=90, every_s=0.5)

    def lines(self, since: float) -> list[dict[str, Any]]:
        """Return the pod's log since a moment."""
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
        text = self.lab.kubectl("-n", self.namespace, "logs", self.pod, f"--since-time={moment}")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def usual(self) -> dict[tuple[str, str], str]:
        """Return the most frequent answer of each version of each skill since the beginning."""
        counts: dict[tuple[str, str], Counter[str]] = {}
        for line in self.lines(0):
            if "label" in line:
                counts.setdefault((line["skill"], line["version"]), Counter())[line["label"]] += 1
        return {who: labels.most_common(1)[0][0] for who, labels in counts.items()}

    def stop(self) -> None:
        self.lab.kubectl("-n", self.namespace, "delete", "pod,configmap", self.pod, "--ignore-not-found", "--now")


def start_load(
    lab: Lab,
    namespace: str,
    pod: str,
    *,
    image: str,
    photo: Path,
    targets: Iterable[dict[str, Any]],
    cases: list[Counted],
    rounds: int = 1,
    period_s: float = 0.65,
) -> Load:
    """Start a pod with `2 * rounds` clients per target, each of which sends a request every `period_s`.

    Args:
        lab: The cluster.
        namespace: Where.
        pod: What it is called.
        image: One with Python.
        photo: What is asked about.
        targets: Whom: `skill`, `host`, `port`.
        cases: Where its periods are kept.
        rounds: Pairs of clients of each target, one of which keeps its connection.
        period_s: How often each of them asks.
    """
    settings = {"targets": list(targets), "rounds": rounds, "period_s": period_s}
    metadata = {"name": pod, "namespace": namespace}
    files = {SCRIPT.name: SCRIPT.read_text("utf-8"), "load.json": json.dumps(settings)}
    binary = {"photo.jpg": base64.b64encode(photo.read_bytes()).decode()}
    container = {
        "name": "asks",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", f"/load/{SCRIPT.name}"],
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "load", "mountPath": "/load", "readOnly": True}],
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": pod}}],
    }
    lab.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files, "binaryData": binary},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )
    lab.kubectl("-n", namespace, "wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=60s")
    return Load(lab, namespace, pod, cases)
