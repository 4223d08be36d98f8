"""The step ingest as a library function."""

from dataclasses import replace
from pathlib import Path

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError, latest, load, point_to, produce
from coachworks.store import Store
from components.ingest.build_tables import Gathering
from components.ingest.config import IngestConfig
from components.ingest.photo_index import PhotoIndex
from components.ingest.report import IngestReport
from components.ingest.source_files import Item, read_source
from components.ingest.take_in import take_in


def ingest(fleet: Fleet, *, config: IngestConfig | None = None, context: Context | None = None) -> Result[IngestReport]:
    """Ingest the photos and tables of the fleet's sources.

    The result holds `catalogue.parquet`, `votes.parquet`, `labels.parquet` and `rejected.json`; its key is the digest
    of their content, so that the same photos and tables give the same result. The photos themselves are in the store.

    Args:
        fleet: The located fleet.
        config: Settings; the defaults if None.
        context: The surroundings of the task; None opens the fleet's own store.

    Raises:
        NotFoundError: a folder, bucket or table does not exist; or the result that `ingested` names.
        InvalidConfigError: `photos` of a source is not a folder, or may not be listed.
        DataError: a table cannot be used, or there is no usable photo at all.
        NotDoneError: a dry run reached a file that has not been read yet, or a table that has changed.
    """
    config = config or IngestConfig()
    context = context or open_context(fleet)
    store = context.store
    if config.ingested:
        return _ingested_elsewhere(store, config.ingested, context)
    index = PhotoIndex(store)
    gathering = _gather(fleet, store, index, config, context)

    def build(folder: Path) -> IngestReport:
        known = _photos_before(store)
        labels = gathering.write(folder, index)
        return gathering.report(labels, known)

    inputs = {"content": gathering.digest()}
    return produce(IngestReport, inputs, build, context=context, code=code_digest(__name__))


def _ingested_elsewhere(store: Store, key: str, context: Context) -> Result[IngestReport]:
    try:
        result = load(store, IngestReport, key)
    except NotFoundError as err:
        raise NotFoundError(
            f"ingested must be the key of a result of ingest in the store; got {key!r}, which is not in {store.uri}. "
            "Run `coachworks ingest --json` where the photos are, with this store, and pass on the key that it prints."
        ) from err
    if not context.dry:
        point_to(store, "ingest", key)
    context.progress.note("result from elsewhere reused")
    return replace(result, reused=True)


def _gather(fleet: Fleet, store: Store, index: PhotoIndex, config: IngestConfig, context: Context) -> Gathering:
    gathering = Gathering(fleet)
    items: list[Item] = []
    for source in fleet.spec.sources:
        files = read_source(source, fleet, store.uri)
        items += files.items
        gathering.rejections += files.rejections
        gathering.remarks += files.remarks
        gathering.ignored += files.ignored
    if context.dry and (new := sum(index.record(item.file) is None and item.file.readable() for item in items)):
        raise NotDoneError("ingest", f"{new} files are new or have changed")
    outcomes = take_in([item.file for item in items], store, index, workers=config.workers, progress=context.progress)
    for item, (_, outcome) in zip(items, outcomes, strict=True):
        gathering.add(item, outcome)
    if not gathering.entries:
        folders = ", ".join(source.photos for source in fleet.spec.sources)
        aside = len(gathering.rejections)
        raise DataError(
            f"there must be at least one usable photo in {folders}; "
            + (f"{aside} files or rows were set aside, the first because: {_first(gathering)}" if aside else "got none")
        )
    if gathering.rejections:
        context.progress.note(f"{len(gathering.rejections)} files or rows set aside: see rejected.json")
    for sentence in gathering.unanswered():
        context.progress.note(sentence)
    return gathering


def _first(gathering: Gathering) -> str:
    rejection = gathering.rejections[0]
    return f"{rejection.file}: {rejection.message}"


def _photos_before(store: Store) -> frozenset[str]:
    """Return the photos of the latest result, which new photos are counted against."""
    try:
        catalogue = load(store, "ingest", latest(store, "ingest")).path / "catalogue.parquet"
    except NotFoundError:
        return frozenset()
    import pyarrow.parquet as pq

    return frozenset(pq.read_table(catalogue, columns=["photo_id"]).column("photo_id").to_pylist())
