"""Problems of a fleet file, each with its place, the rule and the way out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import InvalidConfigError
from coachworks.visible_text import visible

_MOST_LINES = 100
_LONGEST = 2000  # characters of a message


@dataclass(frozen=True, order=True)
class Problem:
    """One problem and its place.

    Attributes:
        line: Line in the file, from 1.
        column: Character in that line, from 1.
        message: The rule, the value that breaks it, and the way out.
    """

    line: int
    column: int
    message: str


def lines_of(path: Path, problems: Sequence[Problem], *, mark: str = "") -> Iterator[str]:
    """Yield a line per problem, `file:line:column: message`: of very many the first, of a very long one the beginning.

    Args:
        path: The fleet file.
        problems: The problems, by place.
        mark: Word before each message.
    """
    for problem in problems[:_MOST_LINES]:
        message = visible(problem.message)
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"  # the way out is at the end
        yield f"{path}:{problem.line}:{problem.column}: {mark}{message}"
    if len(problems) > _MOST_LINES:
        yield f"… and {len(problems) - _MOST_LINES:,} more"


class InvalidFleetError(InvalidConfigError):
    """A fleet file breaks its rules.

    Attributes:
        path: The fleet file.
        problems: All problems, by place. As text, the first are lines `file:line:column: message`.
    """

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(lines_of(path, problems)))
        self.path = path
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type["InvalidFleetError"], tuple[Path, tuple[Problem, ...]]]:
        return type(self), (self.path, self.problems)
