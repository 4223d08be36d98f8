"""A result of ingest that was made elsewhere is taken as it is."""

import pytest

from coachworks.context import open_context
from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.results import latest
from components.ingest.config import IngestConfig
from components.ingest.step import ingest


def test_a_result_made_elsewhere_is_taken_as_it_is_without_a_look_at_the_sources(draw, make_fleet, store, tmp_path):
    draw("photos/cat/a.jpg", 1)
    first = ingest(make_fleet())
    draw("photos/cat/b.jpg", 2)
    assert ingest(make_fleet()).key != first.key
    (tmp_path / "photos").rename(tmp_path / "gone")
    taken = ingest(make_fleet(), config=IngestConfig(ingested=first.key))
    assert (taken.key, taken.reused, taken.report) == (first.key, True, first.report)
    assert latest(store, "ingest") == first.key
    assert (
        ingest(make_fleet(), config=IngestConfig(ingested=first.key), context=open_context(make_fleet(), dry=True)).key
        == first.key
    )


def test_a_dry_run_does_not_make_it_the_latest(draw, make_fleet, store):
    draw("photos/cat/a.jpg", 1)
    first = ingest(make_fleet())
    draw("photos/cat/b.jpg", 2)
    second = ingest(make_fleet())
    ingest(make_fleet(), config=IngestConfig(ingested=first.key), context=open_context(make_fleet(), dry=True))
    assert latest(store, "ingest") == second.key


def test_a_result_that_is_not_in_the_store_is_refused_with_the_way_to_it(draw, make_fleet):
    draw("photos/cat/a.jpg", 1)
    missing = "0" * 32
    with pytest.raises(
        NotFoundError, match=rf"got '{missing}', which is not in .*store. Run `coachworks ingest --json`"
    ):
        ingest(make_fleet(), config=IngestConfig(ingested=missing))


@pytest.mark.parametrize("key", ["../split", "latest", "0" * 31, "A" * 32])
def test_an_invalid_key_is_refused(key):
    with pytest.raises(InvalidConfigError, match=r"ingested must be the key of a result of ingest, 32 hexadecimal"):
        IngestConfig(ingested=key)
