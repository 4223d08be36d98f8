"""Text on a terminal, as it was written."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say(console: "Console", text: str, *, style: str | None = None, markup: bool = True, end: str = "\n") -> None:
    """Print a text without colours of rich's own choice, and without breaking long lines, so that paths can be copied.

    Args:
        console: Receives the text.
        text: The text.
        style: Style of the whole text, as rich names it.
        markup: Treat `[bold]` and the like as styles; False for text from outside.
        end: Printed after the text.
    """
    console.print(text, style=style, markup=markup, end=end, highlight=False, soft_wrap=True)
