"""Walk through a store: every object and tree is read and compared, several at a time."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from coachworks.cpu_limit import usable_cores
from coachworks.progress import SILENT, Progress, Task
from coachworks.store import Store, machine_folder
from coachworks.store.contents import LEFTOVER, LINK_FORM, Comparison, Content, Contents
from coachworks.verify.journal import Journal
from coachworks.verify.kinds import FOREIGN, Kind, find_kind

_THREADS_OF_A_BUCKET = 12  # they mostly wait
_MB = 1_000_000


@dataclass(frozen=True)
class Finding:
    """Damage of an object or tree.

    Attributes:
        content: The object or tree.
        kind: Name of its kind.
        problems: What is wrong, in words, by key of the file.
        consequence: Effect of the damage.
        way_out: What to do.
        state: `damaged`; after a repair `removed`, `restored`, or `damaged` as before.
    """

    content: Content
    kind: str
    problems: dict[str, str]
    consequence: str
    way_out: str
    state: str = "damaged"


@dataclass(frozen=True)
class Verification:
    """Outcome of a verification.

    Attributes:
        store: Address of the store.
        objects: Objects and trees compared.
        bytes: Bytes read.
        seconds: Time taken, s.
        continued: Those of them that an interrupted verification had compared.
        undigested: Keys of objects and trees that earlier versions wrote without a digest; readable as far as known.
        foreign: Files of MLflow and of this machine, which are not compared.
        unknown: Keys of files that are not part of a store.
        findings: The damage.
        leftovers: What killed processes left behind.
        links: The links, for a repair.
    """

    store: str
    objects: int
    bytes: int
    seconds: float
    continued: int
    undigested: Sequence[str]
    foreign: int
    unknown: Sequence[str]
    findings: Sequence[Finding]
    leftovers: Sequence[Content]
    links: Sequence[Content] = field(repr=False, default=())

    @property
    def damaged(self) -> bool:
        """True if there is damage left."""
        return any(finding.state == "damaged" for finding in self.findings)


def verify(store: Store, *, fresh: bool = False, progress: Progress = SILENT) -> Verification:
    """Read everything in the store, and compare it with its digests.

    Where this is interrupted, the next call goes on where it stopped, within a day.

    Args:
        store: The store.
        fresh: Begin anew.
        progress: Counts megabytes.
    """
    started = time.monotonic()
    journal = Journal(machine_folder(store) / "tmp" / "verify.jsonl", fresh=fresh)
    done = False
    try:
        contents = store.contents()
        everything = list(contents.walk())
        parts = [each for each in everything if each.form != LEFTOVER and not FOREIGN.fullmatch(each.key)]
        with progress.task("verify", total=sum(each.size for each in parts) // _MB, unit="MB") as task:
            walk = _Walk(store, contents, journal, task)
            threads = _THREADS_OF_A_BUCKET if store.remote else usable_cores()
            with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
                try:
                    findings = [finding for finding in pool.map(walk.compare, parts) if finding is not None]
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        done = True
    finally:
        journal.close(done=done)
    return Verification(
        store=store.uri,
        objects=len(parts) - len(walk.unknown),
        bytes=walk.read,
        seconds=time.monotonic() - started,
        continued=walk.continued,
        undigested=sorted(walk.undigested),
        foreign=sum(bool(FOREIGN.fullmatch(each.key)) for each in everything),
        unknown=sorted(walk.unknown),
        findings=sorted(findings, key=lambda finding: finding.content.key),
        leftovers=[each for each in everything if each.form == LEFTOVER],
        links=[each for each in everything if each.form == LINK_FORM],
    )


class _Walk:
    def __init__(self, store: Store, contents: Contents, journal: Journal, task: Task) -> None:
        self._store, self._contents, self._journal, self._task = store, contents, journal, task
        self._lock = threading.Lock()
        self.read = self.continued = 0
        self.undigested: list[str] = []
        self.unknown: list[str] = []

    def compare(self, content: Content) -> Finding | None:
        """Compare a content; return its damage, if any."""
        kind = find_kind(content.key)
        if kind is None:
            with self._lock:
                self.unknown.append(content.key)
            return None
        known = self._journal.intact(content)
        if known is not None:
            self._note(content, digests=known, continued=True)
            return None
        comparison = self._compared(content, kind)
        if not comparison.problems:
            self._journal.add(content, digests=comparison.digests)
            self._note(content, digests=comparison.digests)
            return None
        return Finding(content, kind.name, comparison.problems, kind.consequence, kind.advice(self._store))

    def _compared(self, content: Content, kind: Kind) -> Comparison:
        comparison = self._contents.compare(content, self._on_read)
        if comparison.problems or content.form == LINK_FORM:
            return comparison
        problem = kind.problem(self._store, content.key)
        if problem is not None:
            return Comparison({content.key: problem}, digests=True)
        digests = comparison.digests or kind.has_digest(self._store, content.key)
        return Comparison({}, digests=digests)

    def _on_read(self, count: int) -> None:
        with self._lock:
            before, self.read = self.read, self.read + count
            self._task.advance(self.read // _MB - before // _MB)

    def _note(self, content: Content, *, digests: bool, continued: bool = False) -> None:
        with self._lock:
            self.continued += continued
            if not digests:
                self.undigested.append(content.key)
        if continued:
            self._task.advance(content.size // _MB)
