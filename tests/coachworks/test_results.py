import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from coachworks.context import Context
from coachworks.errors import NotFoundError
from coachworks.result import Measure
from coachworks.results import NotDoneError, ReportError, ancestor, ancestors, jsonable, latest, load, produce
from coachworks.store import FolderStore


@dataclasses.dataclass(frozen=True)
class Part:
    share: Measure


@dataclasses.dataclass(frozen=True)
class Report:
    STEP: ClassVar[str] = "split"

    value: Measure
    names: tuple[str, ...] = ()
    parts: Mapping[str, Part] = dataclasses.field(default_factory=dict)


def make(store: FolderStore, step: str = "split", calls: list[int] | None = None, **kwargs: object):
    context = kwargs.pop("context", Context(store))

    def build(folder: Path) -> Report:
        if calls is not None:
            calls.append(1)
        (folder / "x.txt").write_text("x")
        return Report(value=float("nan"), names=("a",))

    return produce(step, kwargs or {"ingest": "k"}, build, context=context, code="c")


def test_the_same_inputs_are_worked_on_once(store: FolderStore) -> None:
    calls: list[int] = []
    first, second = make(store, calls=calls), make(store, calls=calls)
    assert len(calls) == 1
    assert (first.reused, second.reused) == (False, True)
    assert first.key == second.key
    assert second.report == {"value": None, "names": ["a"], "parts": {}}
    assert (second.path / "x.txt").read_text() == "x"


def test_other_inputs_give_another_key(store: FolderStore) -> None:
    assert make(store, ingest="k").key != make(store, ingest="l").key


def test_refresh_does_the_step_again_once_per_run(store: FolderStore) -> None:
    calls: list[int] = []
    make(store, calls=calls)
    again = Context(store, run="r1", refresh=frozenset({"split"}))
    first = make(store, calls=calls, context=again)
    second = make(store, calls=calls, context=again)
    assert len(calls) == 2
    assert first.key == second.key != make(store).key


def test_a_dry_run_does_nothing_and_says_which_step_it_came_to(store: FolderStore) -> None:
    with pytest.raises(NotDoneError, match="split"):
        make(store, context=Context(store, dry=True))
    assert not store.exists("results")
    make(store)
    assert make(store, context=Context(store, dry=True)).reused


def test_a_failing_build_leaves_nothing_behind(store: FolderStore) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        produce("split", {}, build, context=Context(store), code="c")
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


def test_a_report_is_read_as_the_dataclass_that_was_written(store: FolderStore) -> None:
    report = Report(value=1.5, names=("a",), parts={"x": Part(share=0.5)})
    result = produce(Report, {}, lambda folder: report, context=Context(store), code="c")
    assert result.step == "split"
    assert result.report == report
    assert load(store, Report, result.key).report == report
    assert load(store, "split", result.key).report == jsonable(report)


def test_a_measure_that_is_not_a_number_comes_back_as_such(store: FolderStore) -> None:
    report = Report(value=float("nan"))
    result = produce(Report, {}, lambda folder: report, context=Context(store), code="c")
    assert math.isnan(result.report.value)


def test_an_ancestor_is_read_as_its_dataclass_too(store: FolderStore) -> None:
    split = produce(Report, {}, lambda folder: Report(value=2), context=Context(store), code="c")
    validate = make(store, "validate", split=split.key)
    assert ancestor(store, validate, Report).report.value == 2
    assert [
        result.step
        for result in ancestors(
            store, make(store, "validate", split=make(store, ingest=make(store, "ingest", x=1).key).key)
        )
    ] == ["validate", "split", "ingest"]


def published(store: FolderStore, report: object) -> str:
    """Key of a result whose report was written by another version of coachworks."""
    return produce("split", {"report": jsonable(report)}, lambda folder: report, context=Context(store), code="c").key


def test_fields_that_another_version_has_added_are_ignored(store: FolderStore) -> None:
    key = published(store, {"value": 1.0, "parts": {"x": {"share": 0.5, "new": 1}}, "new": {}})
    assert load(store, Report, key).report == Report(value=1.0, parts={"x": Part(0.5)})


@pytest.mark.parametrize(
    ("report", "field"), [({"names": []}, "value"), ({"value": 1, "parts": {"x": {"share": "half"}}}, "parts.x.share")]
)
def test_a_report_of_another_version_is_refused_with_the_field_and_the_way_out(
    store: FolderStore, report: dict[str, object], field: str
) -> None:
    key = published(store, report)
    with pytest.raises(ReportError, match=rf"split/{key} .*; {field}: .* Run `coachworks split` again"):
        load(store, Report, key)


def test_a_report_that_cannot_be_read_is_not_published(store: FolderStore) -> None:
    with pytest.raises(ReportError, match="; value: Input should be a valid number"):
        produce(Report, {}, lambda folder: Report(value="much"), context=Context(store), code="c")  # type: ignore[arg-type]
    assert not store.exists("results")
