"""Reasons of the latest run for a skill that has no model."""

import json

import pytest

from coachworks.runs import CANCELLED, FAILED, SUCCEEDED, new_run, start_run
from components.register.latest_outcome import describe_unfinished, why_not_registered

SHOWN = "`coachworks status` shows it."


@pytest.fixture
def run(store):
    return start_run(store, new_run("{}", [["view"]]))


def test_without_a_run_the_way_out_is_to_run(store):
    assert describe_unfinished(store) is None
    assert why_not_registered(store, "view") == "Run the pipeline: `coachworks run`."


def test_a_run_under_way_is_named(store, run):
    assert why_not_registered(store, "view") == f"The run {run.id} is under way: {SHOWN}"


def test_a_failed_run_is_named_with_the_step_and_its_error(store, run):
    error = {"step": "ingest", "lane": "", "type": "DataError", "message": "no photo.\nMore.", "traceback": ""}
    store.write(f"runs/{run.id}/errors/ingest.json", json.dumps(error).encode())
    run.ended(store, FAILED)
    assert why_not_registered(store, "view") == f"The latest run, {run.id}, failed in ingest: no photo. {SHOWN}"


def test_a_cancelled_run_is_named(store, run):
    run.ended(store, CANCELLED)
    assert why_not_registered(store, "view") == f"The latest run, {run.id}, was cancelled. {SHOWN}"


def test_a_run_that_succeeded_is_nothing_unfinished(store, run):
    run.ended(store, SUCCEEDED)
    assert describe_unfinished(store) is None
