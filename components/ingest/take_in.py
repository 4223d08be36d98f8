"""Files into the store: read, hashed, decoded, measured and published, on all cores, each photo once."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import TypeVar

from coachworks.cpu_limit import usable_cores
from coachworks.digests import digest_bytes
from coachworks.errors import PhotoError
from coachworks.photos import MAX_BYTES, photo_key, read_photo, refuse_large_file
from coachworks.progress import Progress
from coachworks.store import Store
from components.ingest.found import Found
from components.ingest.photo_index import Facts, PhotoIndex, Refusal, Verdict
from components.ingest.places import in_bucket
from components.ingest.quality_measures import MEASURED_PX, measure

T = TypeVar("T")
_PER_CORE = 4  # threads where files come from a bucket or go to one, since they mostly wait
Outcome = Verdict | OSError


def take_in(
    files: Sequence[Found], store: Store, index: PhotoIndex, *, workers: int, progress: Progress
) -> Iterator[tuple[Found, Outcome]]:
    """What each file is, in the order given; new photos are in the store when their turn comes.

    Threads do: reading, hashing and decoding let go of Python's lock. At most a few files are held at a time.

    Args:
        files: What to take in.
        store: Where photos go.
        index: What is known already; it learns what is new.
        workers: Threads; 0 takes one per core, four where files come from a bucket or go to one.
        progress: Hears of each file.
    """
    remote = store.remote or any(in_bucket(found.place) for found in files)
    workers = workers or usable_cores() * (_PER_CORE if remote else 1)
    decoding = threading.BoundedSemaphore(usable_cores())
    with (
        progress.task("ingest", total=len(files), unit="photos") as task,
        ThreadPoolExecutor(workers, thread_name_prefix="ingest") as pool,
    ):
        jobs = ((found, index.verdict(found) or pool.submit(_judge, found, store, index, decoding)) for found in files)
        try:
            for found, job in _ahead(jobs, by=2 * workers):
                outcome = job.result() if isinstance(job, Future) else job
                if isinstance(job, Future) and not isinstance(outcome, OSError):
                    index.add(found, outcome)
                yield found, outcome
                task.advance()
        finally:
            pool.shutdown(cancel_futures=True)
            index.flush()


def _ahead(items: Iterable[T], *, by: int) -> Iterator[T]:
    """`items`, of which the next `by` are always begun: a window that keeps memory flat."""
    begun: deque[T] = deque()
    for item in items:
        begun.append(item)
        if len(begun) > by:
            yield begun.popleft()
    yield from begun


def _judge(found: Found, store: Store, index: PhotoIndex, decoding: threading.BoundedSemaphore) -> Outcome:
    try:
        if found.size > MAX_BYTES:
            refusal = refuse_large_file(found.size, found.read(64))
            return Refusal(refusal.reason, str(refusal))
        data = found.read(MAX_BYTES + 1)  # one more: a file that is growing is refused as too large
    except OSError as err:
        return err
    photo_id = digest_bytes(data)
    known = index.facts(photo_id)
    if known is not None:
        return known
    try:
        with decoding:  # pixels take far more memory than files: no more at a time than there are cores to work on them
            facts = _look_at(data, photo_id)
    except PhotoError as err:
        return Refusal(err.reason, str(err))
    if not index.is_stored(facts.uri):
        store.create(facts.uri, data)
    return facts


def _look_at(data: bytes, photo_id: str) -> Facts:
    photo = read_photo(data, at_least_px=MEASURED_PX)
    return Facts(
        photo_id=photo_id,
        uri=photo_key(photo_id, photo.extension),
        width_px=photo.width_px,
        height_px=photo.height_px,
        format=photo.format,
        taken_at=photo.taken_at.isoformat() if photo.taken_at else None,
        **asdict(measure(photo.image)),
    )
