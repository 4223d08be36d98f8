"""`coachworks check` on large files: work that grows with the file, and output of a bounded length."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from large_fleets import large_fleets, write_fleet

from coachworks.cli.check import check
from coachworks.fleet.problems import InvalidFleetError, Problem
from coachworks.wording import Suggestions

FLEETS = large_fleets(0.05)
QUADRATIC = [
    *("service names", "unknown skills to deploy", "unknown skills of sources", "unknown similar labels"),
    *("unknown answers, many labels", "a wide table"),
]


@pytest.mark.parametrize("name", QUADRATIC)
def test_a_twentieth_of_the_largest_file_takes_a_moment(name: str, tmp_path: Path) -> None:
    file = write_fleet(tmp_path / "fleet", *FLEETS[name])
    begun = time.process_time()
    result = CliRunner().invoke(check, ["-f", str(file)])
    assert time.process_time() - begun < 2
    assert result.exit_code in {0, 2}, result.output
    assert len(result.output) < 60_000


def test_of_very_many_problems_the_first_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    file = write_fleet(tmp_path / "fleet", *FLEETS["unknown keys"])
    lines = CliRunner().invoke(check, ["-f", str(file)]).output.splitlines()
    assert len([line for line in lines if "unknown key 'tierr'" in line]) == 100
    assert lines[100:] == ["… and 300 more", f"400 problems in {file}"]


def test_a_very_long_message_is_shortened_and_keeps_its_way_out() -> None:
    text = str(InvalidFleetError(Path("f"), [Problem(1, 1, f"must be a; got {'x' * 1_000_000}. Remove it.")]))
    assert len(text) < 2_100
    assert text.startswith("f:1:1: must be a; got xxx")
    assert text.endswith("xxx. Remove it.")


def test_a_message_commands_no_terminal() -> None:
    assert str(InvalidFleetError(Path("f"), [Problem(1, 1, "got \x1b[2J\u202e")])) == r"f:1:1: got \x1b[2J\u202e"


def test_a_long_table_is_compared_in_part_and_the_check_says_so(tmp_path: Path) -> None:
    file = write_fleet(tmp_path / "fleet", *large_fleets(0.06)["a long table"])
    output = CliRunner().invoke(check, ["-f", str(file)]).output
    assert "compared in part, since long: t.csv. `coachworks ingest` compares all of it." in output
    assert "no photo has the label" not in output


def test_suggestions_end_after_so_many_comparisons() -> None:
    suggestions = Suggestions(["red", "green"], comparisons=4)
    assert [suggestions.did_you_mean(word, "Its labels") for word in ("rad", "xyzzy", "rad")] == [
        " Did you mean `red`?",
        " Its labels: red, green.",
        " Its labels: red, green.",
    ]
