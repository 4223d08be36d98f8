"""Problems of a fleet file, each with its place, the rule and the way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import InvalidConfigError


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


class InvalidFleetError(InvalidConfigError):
    """A fleet file breaks its rules.

    Attributes:
        path: The fleet file.
        problems: All problems, by place. As text, each is a line `file:line:column: message`.
    """

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        super().__init__(
            "\n".join(f"{path}:{problem.line}:{problem.column}: {problem.message}" for problem in problems)
        )
        self.path = path
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type["InvalidFleetError"], tuple[Path, tuple[Problem, ...]]]:
        return type(self), (self.path, self.problems)
