"""A result: the published outcome of one step, with its report as the dataclass that the step wrote."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BeforeValidator

from coachworks.store import Store

# JSON has no NaN: a report stores null in its place.
Measure = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class Report(Protocol):
    """A step's report: a dataclass that names its step."""

    STEP: ClassVar[str]


ReportT_co = TypeVar("ReportT_co", covariant=True)


@dataclass(frozen=True)
class Result(Generic[ReportT_co]):
    """The published outcome of one step.

    Attributes:
        step: Name of the step.
        key: Digest of the step's code and inputs, 32 hexadecimal digits.
        inputs: The inputs in the key; keys of upstream results under the name of their step.
        report: The step's report; JSON values where the result was loaded by the name of its step.
        created_at: Time of completion, ISO 8601, UTC.
        duration_s: Time that the step took, in seconds.
        reused: Whether it existed before this call.
        store: The store that holds its files.
    """

    step: str
    key: str
    inputs: Mapping[str, Any]
    report: ReportT_co
    created_at: str
    duration_s: float
    reused: bool = False
    store: Store = field(kw_only=True, repr=False, compare=False)

    @cached_property
    def path(self) -> Path:
        """Local folder with all its files; from a bucket they are fetched at the first access."""
        return self.store.fetch(self._tree)

    @property
    def place(self) -> str:
        """Location of its files for people: a path, or an address in a bucket."""
        return self.store.address(self._tree)

    def file(self, name: str) -> Path:
        """Return the local path of one file or sub-folder, without fetching the others.

        Raises:
            NotFoundError: the result has no such file.
        """
        return self.store.fetch(f"{self._tree}/{name}")

    @property
    def _tree(self) -> str:
        return f"results/{self.step}/{self.key}"
