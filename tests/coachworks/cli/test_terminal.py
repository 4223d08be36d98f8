"""Progress of a single step on a terminal."""

import io

from rich.console import Console

from coachworks.cli.terminal import TerminalProgress


def test_a_note_is_printed_as_it_is_square_brackets_included() -> None:
    output = io.StringIO()
    with TerminalProgress(Console(file=output, width=100)) as progress:
        progress.note('containers[answers].env[HANDMADE].value was added: "yes"')
    assert 'containers[answers].env[HANDMADE].value was added: "yes"' in output.getvalue()
