import dataclasses
from pathlib import Path

import numpy as np
import pytest

from coachworks.context import Context
from coachworks.errors import NotFoundError
from coachworks.results import NotDoneError, ancestor, jsonable, latest, load, produce
from coachworks.store import FolderStore


@dataclasses.dataclass(frozen=True)
class Report:
    value: float
    names: tuple[str, ...] = ()


def make(store: FolderStore, step: str = "split", calls: list[int] | None = None, **kwargs: object):
    context = kwargs.pop("context", Context())

    def build(folder: Path) -> Report:
        if calls is not None:
            calls.append(1)
        (folder / "x.txt").write_text("x")
        return Report(value=float("nan"), names=("a",))

    return produce(store, step, kwargs or {"ingest": "k"}, build, context=context, code="c")


def test_the_same_inputs_are_worked_on_once(store: FolderStore) -> None:
    calls: list[int] = []
    first, second = make(store, calls=calls), make(store, calls=calls)
    assert len(calls) == 1
    assert (first.reused, second.reused) == (False, True)
    assert first.key == second.key
    assert second.report == {"value": None, "names": ["a"]}
    assert (second.path / "x.txt").read_text() == "x"


def test_other_inputs_give_another_key(store: FolderStore) -> None:
    assert make(store, ingest="k").key != make(store, ingest="l").key


def test_refresh_does_the_step_again_once_per_run(store: FolderStore) -> None:
    calls: list[int] = []
    make(store, calls=calls)
    again = Context(run="r1", refresh=frozenset({"split"}))
    first = make(store, calls=calls, context=again)
    second = make(store, calls=calls, context=again)
    assert len(calls) == 2
    assert first.key == second.key != make(store).key


def test_a_dry_run_does_nothing_and_says_which_step_it_came_to(store: FolderStore) -> None:
    with pytest.raises(NotDoneError, match="split"):
        make(store, context=Context(dry=True))
    assert not store.exists("results")
    make(store)
    assert make(store, context=Context(dry=True)).reused


def test_a_failing_build_leaves_nothing_behind(store: FolderStore) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        produce(store, "split", {}, build, context=Context(), code="c")
    assert not store.exists("results")
    assert not list((store.root / "tmp").iterdir())


def test_earlier_results_are_found_through_later_ones(store: FolderStore) -> None:
    ingest = make(store, "ingest", x=1)
    split = make(store, "split", ingest=ingest.key)
    validate = make(store, "validate", split=split.key)
    assert ancestor(store, validate, "ingest").key == ingest.key
    with pytest.raises(NotFoundError, match="does not descend from the step 'train'"):
        ancestor(store, validate, "train")


def test_the_latest_result_of_a_step_is_remembered(store: FolderStore) -> None:
    with pytest.raises(NotFoundError, match="`coachworks split`"):
        latest(store, "split")
    assert latest(store, "split") == make(store).key if make(store) else False
    with pytest.raises(NotFoundError, match="no result of the step 'split' under 'nope'"):
        load(store, "split", "nope")


def test_reports_become_json_values() -> None:
    assert jsonable({"a": np.float32(1.5), "b": np.arange(2), 3: (float("inf"), Path("x/y"))}) == {
        "a": 1.5,
        "b": [0, 1],
        "3": [None, "x/y"],
    }
