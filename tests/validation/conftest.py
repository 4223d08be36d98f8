"""Small tables in the form of ingest and split."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from small_fleets import small_fleet

from coachworks.fleet.model import Checks, Fleet
from coachworks.tables import CATALOGUE, SPLIT_LABELS, VOTES
from validation import Finding, gather, rules, run_suite


def _photo_id(number: int) -> str:
    return f"{number:064x}"


def _photos(count: int, **columns: list[Any]) -> pd.DataFrame:
    """Return a valid catalogue of `count` photos, one set each, the splits in turn, with `columns` replaced."""
    frame = pd.DataFrame(
        {
            **{name: pd.Series([None] * count, dtype=object) for name in CATALOGUE},
            "photo_id": [_photo_id(n) for n in range(count)],
            "uri": [f"photos/{n}.jpg" for n in range(count)],
            "filename": [f"{n:03}.jpg" for n in range(count)],
            "source": "own",
            "permission": "written",
            "set_id": [f"set-{n}" for n in range(count)],
            "split": [("train", "validation", "test")[n % 3] for n in range(count)],
            "taken_at": pd.Series([pd.NaT] * count, dtype="datetime64[us]"),
            "ingested_at": pd.Series([datetime(2026, 1, 2)] * count, dtype="datetime64[us]"),
            "width_px": 640,
            "height_px": 480,
            "format": "JPEG",
            "sharpness": 500.0,
            "brightness": 0.5,
            "contrast": 0.2,
            "perceptual_hash": [f"{n:016x}" for n in range(count)],
        }
    )
    return frame.assign(**columns)


def _labelled(catalogue: pd.DataFrame, skill: str, labels: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "photo_id": catalogue["photo_id"],
            "skill": skill,
            "label": labels,
            "confidence": 1.0,
            "votes": 1,
            "agreement": 1.0,
            "split": catalogue["split"],
        },
        columns=list(SPLIT_LABELS),
    )


@pytest.fixture(scope="session")
def judge() -> Callable[..., list[Finding]]:
    """Function that gathers the evidence, runs the suite, or its rules of one check, and returns the findings."""

    def run(
        fleet: Fleet,
        catalogue: pd.DataFrame,
        labels: pd.DataFrame,
        *,
        votes: pd.DataFrame | None = None,
        pairs: tuple[tuple[str, str], ...] = (),
        checks: Checks | None = None,
        check: str | None = None,
    ) -> list[Finding]:
        checks = checks or fleet.spec.checks
        if votes is None:
            votes = pd.DataFrame(columns=list(VOTES))
        evidence = gather(
            fleet,
            checks,
            catalogue=catalogue,
            splits=catalogue[["photo_id", "set_id", "split"]],
            labels=labels,
            votes=votes,
            pairs=pairs,
        )
        chosen = [rule for rule in rules(fleet, checks, evidence) if check in (None, rule.check)]
        return list(run_suite(fleet.name, chosen, evidence.tables()).findings)

    return run


@pytest.fixture(scope="session")
def judge_by(judge: Callable[..., list[Finding]]) -> Callable[..., Finding]:
    """Function that runs the rules of one check alone and returns its only finding: a whole suite takes a second."""

    def run(check: str, *tables: Any, **options: Any) -> Finding:
        (finding,) = judge(*tables, check=check, **options)
        return finding

    return run


@pytest.fixture(scope="session")
def photo_id() -> Callable[[int], str]:
    """Function that returns the id of the n-th photo of `photos`."""
    return _photo_id


@pytest.fixture(scope="session")
def fleet_of() -> Callable[..., Fleet]:
    """Function that builds a fleet from skills in the form of the fleet file."""
    return lambda **skills: small_fleet(skills)


@pytest.fixture(scope="session")
def photos() -> Callable[..., pd.DataFrame]:
    """Function that builds a valid catalogue, with some columns replaced."""
    return _photos


@pytest.fixture(scope="session")
def labelled() -> Callable[..., pd.DataFrame]:
    """Function that builds the labels of one skill, one per photo of the catalogue."""
    return _labelled
