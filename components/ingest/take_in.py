"""Intake of files into the store: read, hashed, decoded, measured and published on all cores, each photo once."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from coachworks.cpu_limit import usable_cores
from coachworks.digests import digest_bytes
from coachworks.errors import PhotoError
from coachworks.photos import MAX_BYTES, large_file_error
from coachworks.progress import Progress
from coachworks.store import Store
from components.ingest.decoding import facts_of
from components.ingest.listing import SourceFile
from components.ingest.photo_index import FileRecord, PhotoIndex, Refusal
from components.ingest.places import in_bucket

T = TypeVar("T")
_PER_CORE = 4  # threads where files come from a bucket or go to one, since they mostly wait
Outcome = FileRecord | OSError


def take_in(
    files: Sequence[SourceFile], store: Store, index: PhotoIndex, *, workers: int, progress: Progress
) -> Iterator[tuple[SourceFile, Outcome]]:
    """Yield each file with its outcome, in their order; a new photo is in the store when it is yielded.

    Threads read and hash; other processes, one per core, decode. At most a few files are in memory at a time.

    Args:
        files: The files.
        store: Store that receives the photos.
        index: Records of earlier runs; new ones are added to it.
        workers: Threads; 0 takes one per core, four where files come from a bucket or go to one.
        progress: Counts the files.
    """
    remote = store.remote or any(in_bucket(file.place) for file in files)
    workers = workers or usable_cores() * (_PER_CORE if remote else 1)
    with (
        progress.task("ingest", total=len(files), unit="photos") as task,
        ThreadPoolExecutor(workers, thread_name_prefix="ingest") as pool,
    ):
        jobs = ((file, index.record(file) or pool.submit(_examine, file, store, index)) for file in files)
        try:
            for file, job in _ahead(jobs, by=2 * workers):
                outcome = job.result() if isinstance(job, Future) else job
                if isinstance(job, Future) and not isinstance(outcome, OSError):
                    index.add(file, outcome)
                yield file, outcome
                task.advance()
        finally:
            pool.shutdown(cancel_futures=True)
            index.flush()


def _ahead(items: Iterable[T], *, by: int) -> Iterator[T]:
    """Yield `items`, of which the next `by` have started: a window that bounds memory."""
    started: deque[T] = deque()
    for item in items:
        started.append(item)
        if len(started) > by:
            yield started.popleft()
    yield from started


def _examine(file: SourceFile, store: Store, index: PhotoIndex) -> Outcome:
    try:
        if file.size > MAX_BYTES:
            refusal = large_file_error(file.size, file.read(64))
            return Refusal(refusal.reason, str(refusal))
        data = file.read(MAX_BYTES + 1)  # one more, so that a growing file is refused as too large
    except OSError as err:
        return err
    photo_id = digest_bytes(data)
    known = index.facts(photo_id)
    if known is not None:
        return known
    try:
        facts = facts_of(data, photo_id)
    except PhotoError as err:
        return Refusal(err.reason, str(err))
    if not index.is_stored(facts.uri) and not store.create(facts.uri, data):
        store.write(facts.uri, data)  # what is there has other content, and so is damaged
    return facts
