"""Errors of rules that pydantic does not know: each with our own words, at its place in the fleet file."""

from collections.abc import Sequence
from typing import get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

RULE = "fleet_rule"  # pydantic's `type` of our errors, whose messages are complete
Location = tuple[int | str, ...]
_STANDARD_ERRORS = frozenset(get_args(ErrorType))


def broken(message: str) -> PydanticCustomError:
    """Return an error for pydantic whose message is `message`, word for word."""
    return PydanticCustomError(RULE, "{message}", {"message": message})


def detail(message: str, location: Location, value: object) -> InitErrorDetails:
    """Return an error of `value` at `location`, relative to the value under validation."""
    return InitErrorDetails(type=broken(message), loc=location, input=value)


def raise_all(title: str, details: Sequence[InitErrorDetails], *, further: ValidationError | None = None) -> None:
    """Raise `details`, and the errors of `further`, as one error; do nothing where there are none.

    Raises:
        ValidationError: there is at least one error. Pydantic puts the place of the validator before each location.
    """
    everything = [*details]
    for error in further.errors(include_url=False) if further else ():
        kind: str | PydanticCustomError = error["type"]
        if kind not in _STANDARD_ERRORS:
            kind = broken(error["msg"])
        everything.append(
            InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=error.get("ctx") or {})
        )
    if everything:
        raise ValidationError.from_exception_data(title, everything) from further
