"""The reader of the fleet file, on any text: it reads it or refuses it at a place inside it, and never breaks."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_PIECES = st.sampled_from(
    [
        "spec:",
        "skills:",
        "labels:",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "-",
        "?",
        ">",
        "#",
        "%",
        "@",
        "`",
        "'",
        '"',
        "\\",
        "\\U",
        "*a",
        "&a ",
        "!!x",
        "<<: ",
        "yes",
        "1",
        "~",
        "é",
        "- ",
        "  ",
        ": ",
        "? ",
        "\n",
        "\t",
        "---\n",
        "\ud7ff",
        "\x85",
        "|",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.lists(_PIECES, max_size=40).map("".join)))
def test_any_text_is_read_or_refused_and_never_breaks_the_reader(problems_of, text):
    problems_of(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_valid_file_with_a_line_changed_is_read_or_refused_within_its_bounds(problems_of, valid, data):
    lines = valid.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    lines[index] = lines[index][: data.draw(st.integers(0, len(lines[index])))] + "".join(
        data.draw(st.lists(_PIECES, max_size=6))
    )
    for problem in problems_of("\n".join(lines).encode("utf-8", "surrogatepass")):
        assert 1 <= problem.line <= len(lines) + 10
        assert problem.column >= 1
        assert problem.message
