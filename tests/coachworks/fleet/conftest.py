"""Fleet files to break, one thing at a time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coachworks.fleet.problems import InvalidFleetError, Problem
from coachworks.fleet.reader import read_fleet

VALID = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata:
  name: showroom
spec:
  sources:
    - {photos: ./photos, table: ./photos.csv}
  skills:
    image-content:
      labels: [interior, exterior, close-up, close-up-with-text]
      unsure: unsure
      similar: [[close-up, close-up-with-text]]
    image-quality:
      labels: [good, blurry]
      serving: {layout: dedicated, port: 9722, serviceName: ai-image-quality}
"""


@pytest.fixture
def valid() -> str:
    """The text of a valid fleet file of two skills."""
    return VALID


@pytest.fixture
def problems_of(tmp_path: Path) -> Callable[[str | bytes], list[Problem]]:
    """Return the problems of the text of a fleet file, by place."""

    def find(text: str | bytes) -> list[Problem]:
        path = tmp_path / "fleet.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        try:
            read_fleet(path)
        except InvalidFleetError as err:
            return list(err.problems)
        return []

    return find


@pytest.fixture
def problem_after(problems_of: Callable[[str], list[Problem]], valid: str) -> Callable[[str, str], Problem]:
    """The one problem that arises when `old` is replaced by `new` in the valid file."""

    def find(old: str, new: str) -> Problem:
        assert old in valid
        problems = problems_of(valid.replace(old, new, 1))
        assert len(problems) == 1, problems
        return problems[0]

    return find
